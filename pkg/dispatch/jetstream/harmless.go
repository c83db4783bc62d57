package jetstream

import natsjs "github.com/nats-io/nats.go/jetstream"

// Differences between the actual and the intended settings of a stream that do no harm.

// refusesNew accepts any limit on messages where a full stream refuses new ones: the
// caller learns of that limit.
func refusesNew(have, want *streamConfig) bool {
	return want.Discard == natsjs.DiscardNew || have.MaxMsgs <= 0
}

func enoughBytes(have, want *streamConfig) bool {
	return want.Discard == natsjs.DiscardNew || have.MaxBytes <= 0 || want.MaxBytes > 0 && have.MaxBytes >= min(want.MaxBytes, leastAside)
}

// longEnough accepts a longer age only for the stream of messages that were set aside.
func longEnough(have, want *streamConfig) bool {
	throwsAway := want.Discard == natsjs.DiscardOld && want.MaxAge > 0
	return throwsAway && (have.MaxAge == 0 || have.MaxAge >= want.MaxAge)
}

func largeEnough(have, _ *streamConfig) bool { return have.MaxMsgSize <= 0 || have.MaxMsgSize >= 1<<20 }

func replicated(have, want *streamConfig) bool { return have.Replicas >= want.Replicas }

// numbersLikeTime accepts a first sequence that is a time. The ids that the server
// numbers are unique only if they begin with the time. The bound is the year 2005 in
// microseconds; another year would do as well.
func numbersLikeTime(have, want *streamConfig) bool {
	return want.FirstSeq == 0 || have.FirstSeq >= 1<<50
}

func repeatsAtWill(_, want *streamConfig) bool { return want.RePublish == nil }

// livesLong accepts expiry headers on every stream but a work queue: no call may expire
// by its own header.
func livesLong(have, want *streamConfig) bool {
	return have.AllowMsgTTL && want.Retention != natsjs.WorkQueuePolicy
}

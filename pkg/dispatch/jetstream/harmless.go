package jetstream

import natsjs "github.com/nats-io/nats.go/jetstream"

// Differences between the settings a stream has and those it was to have that do no harm.

// refusesNew: where a full stream refuses, any limit is honest backpressure.
func refusesNew(have, want *streamConfig) bool {
	return want.Discard == natsjs.DiscardNew || have.MaxMsgs <= 0
}

func enoughBytes(have, want *streamConfig) bool {
	return want.Discard == natsjs.DiscardNew || have.MaxBytes <= 0 || want.MaxBytes > 0 && have.MaxBytes >= min(want.MaxBytes, leastAside)
}

// longEnough: only what was set aside may be kept longer than it must.
func longEnough(have, want *streamConfig) bool {
	throwsAway := want.Discard == natsjs.DiscardOld && want.MaxAge > 0
	return throwsAway && (have.MaxAge == 0 || have.MaxAge >= want.MaxAge)
}

func largeEnough(have, _ *streamConfig) bool { return have.MaxMsgSize <= 0 || have.MaxMsgSize >= 1<<20 }

func replicated(have, want *streamConfig) bool { return have.Replicas >= want.Replicas }

// numbersLikeTime: ids that the server numbers are unique only if they begin
// with the time. The year 2005 in microseconds is as good a bound as any.
func numbersLikeTime(have, want *streamConfig) bool {
	return want.FirstSeq == 0 || have.FirstSeq >= 1<<50
}

func repeatsAtWill(_, want *streamConfig) bool { return want.RePublish == nil }

// livesLong: no call may vanish by a header of its own; elsewhere it may be allowed.
func livesLong(have, want *streamConfig) bool {
	return have.AllowMsgTTL && want.Retention != natsjs.WorkQueuePolicy
}

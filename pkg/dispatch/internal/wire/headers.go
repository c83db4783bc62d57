package wire

// The headers of a call, all optional. PROTOCOL.md is their reference.
const (
	HeaderContentType = "Content-Type"
	HeaderNotBefore   = "Zasync-Not-Before" // RFC 3339
	HeaderDelay       = "Zasync-Delay"      // a duration such as 90s or 1h30m, from when the server stored the message
	HeaderBeginBy     = "Zasync-Begin-By"   // RFC 3339
	HeaderRetries     = "Zasync-Retries"    // attempts after failures, 0 for none
	HeaderLabels      = "Zasync-Labels"     // a JSON object of strings
	HeaderCallbacks   = "Zasync-Callbacks"  // a JSON array
	HeaderAfter       = "Zasync-After"      // the id of the deferred that the call follows
	HeaderOn          = "Zasync-On"         // success, failure, both or skipped
	HeaderKinds       = "Zasync-Kinds"      // a JSON array of kinds of failure
	HeaderDeadline    = "Zasync-Deadline"   // RFC 3339: settled by then, or expired
	HeaderTimeout     = "Zasync-Timeout"    // a duration: how long an attempt may run
	HeaderKeep        = "Zasync-Keep"       // a duration: how long the settled record is kept
	HeaderJoin        = "Zasync-Join"       // all, all-settled, any or race; the body is the array of ids that it waits for
	HeaderCancelRest  = "Zasync-Cancel-Rest"
	HeaderQueue       = "Zasync-Queue"   // of a join that is a command: the queue, "" is the default one
	HeaderName        = "Zasync-Name"    // and the name
	HeaderPromise     = "Zasync-Promise" // the SHA-256 of the secret that settles it
)

// The headers that only workers write.
const (
	HeaderSubmitted = "Zasync-Submitted" // when the server stored the first message of the call
	HeaderDue       = "Zasync-Due"       // when a parked message is due
	HeaderReason    = "Zasync-Reason"    // why a message was set aside
	HeaderSubject   = "Zasync-Subject"   // the route and names under which a set-aside message came
	HeaderWake      = "Zasync-Wake"      // of a schedule that carries no call: the id that it wakes
)

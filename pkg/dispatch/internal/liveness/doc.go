// Package liveness is about time and about who is alive: the server's clock, the
// heartbeat of one worker and its verdict on others, and the delays of everything that
// is tried again.
//
// [Clock] owns the offset to the server's time. [Monitor] owns the worker's own
// heartbeat; it calls another one dead only when a missing heartbeat has no other
// explanation.
package liveness

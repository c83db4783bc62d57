// Package liveness has the server's clock, the heartbeat of one worker and its verdict on
// other workers, and the delays of retries.
//
// [Clock] owns the offset to the server's time. [Monitor] owns the worker's own
// heartbeat; it calls another one dead only when a missing heartbeat has no other
// explanation.
package liveness

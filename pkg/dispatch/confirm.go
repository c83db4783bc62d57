package dispatch

import "context"

// confirmStart revokes an attempt that is late to begin and may not begin any more. It
// follows the record first, and reads it then. The read shows an earlier cancel. A
// later one reaches the attempt without the delay that other attempts have.
func (f *feed) confirmStart(ctx context.Context, h *holding) error {
	f.mu.Lock()
	watched := h.watched
	h.watched = true
	f.mu.Unlock()
	if !watched {
		f.during(func(ctx context.Context) { f.watch(ctx, h) })
	}
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err != nil {
		return err
	}
	f.inForce(h, now.Record)
	return nil
}

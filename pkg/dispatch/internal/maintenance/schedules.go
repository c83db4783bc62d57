package maintenance

import (
	"context"
	"time"

	"zasync/pkg/dispatch/driver"
)

// overdue is the delay after which a schedule counts as lost. The server fires a schedule
// within a fraction of that.
const overdue = 5 * time.Second

// putOverdueAgain stores schedules again that are overdue. The server tries to fire each
// only once: a schedule that a full stream refused would never fire.
func (j *Janitor) putOverdueAgain(ctx context.Context) {
	late := j.Records.Clock.Now().Add(-overdue)
	for d, err := range j.Records.Broker.Pending(ctx, driver.Page{Route: driver.Delay}) {
		if err != nil {
			return
		}
		if d.At.IsZero() || d.At.After(late) {
			continue
		}
		m := d.Message
		m.At = j.Records.Clock.Now()
		if err := j.Records.Put(ctx, m); err != nil {
			j.Log.Warn("overdue schedule not put again", "id", d.ID, "name", d.Name, "err", err)
			return
		}
		j.Log.Info("overdue schedule put again", "id", d.ID, "name", d.Name)
	}
}

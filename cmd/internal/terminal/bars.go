package terminal

import (
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Bars are progress bars at the bottom of a terminal, below the lines that are
// printed meanwhile. Where there is no terminal only the lines are left.
type Bars struct {
	out      io.Writer
	progress *mpb.Progress // nil without a terminal

	mu   sync.Mutex
	bars []*Bar
}

// NewBars begins to draw on w, if it is a terminal. Close ends it.
func NewBars(w io.Writer) *Bars {
	b := &Bars{out: w}
	if Is(w) {
		b.progress = mpb.New(mpb.WithOutput(w), mpb.WithWidth(30))
	}
	return b
}

// Live reports whether bars are seen.
func (b *Bars) Live() bool { return b.progress != nil }

// Println prints a line above the bars. The line is not escaped.
func (b *Bars) Println(line string) {
	if b.progress != nil {
		_, _ = b.progress.Write([]byte(line + "\n"))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.WriteString(b.out, line+"\n")
}

// Close takes the bars away.
func (b *Bars) Close() {
	if b.progress == nil {
		return
	}
	b.mu.Lock()
	for _, bar := range b.bars {
		bar.bar.Abort(true)
	}
	b.mu.Unlock()
	// Lines go out with the next drawing, and the last one is for the end of a
	// bar: without any, the latest lines would be lost.
	if last, err := b.progress.Add(1, nil); err == nil {
		last.Abort(true)
	}
	b.progress.Wait()
}

// A Bar is a label, a bar if the total is known, and a note.
type Bar struct {
	bar *mpb.Bar // nil where nothing is drawn

	mu    sync.Mutex
	label string
	note  string
	total float64
}

// scale is how finely a bar is drawn: progress is a fraction, of anything.
const scale = 1000

// Add adds a bar.
func (b *Bars) Add(label string) *Bar {
	bar := &Bar{label: Escape(label)}
	if b.progress == nil {
		return bar
	}
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─").Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		if _, _, total := bar.state(); total == 0 {
			return nil
		}
		return style.Fill(w, s)
	})
	drawn, err := b.progress.Add(scale, filler,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { label, _, _ := bar.state(); return "  " + label }, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { _, note, _ := bar.state(); return " " + note })))
	if err != nil {
		return bar // closed already
	}
	bar.bar = drawn
	b.mu.Lock()
	b.bars = append(b.bars, bar)
	b.mu.Unlock()
	return bar
}

func (b *Bar) state() (label, note string, total float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.label, b.note, b.total
}

// Label says what the bar is about.
func (b *Bar) Label(label string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.label = Escape(label)
}

// Remove takes the bar away, as one that is done.
func (b *Bar) Remove() {
	if b.bar != nil {
		b.bar.Abort(true)
	}
}

// Set shows how far it has come. A total of 0 is not known.
func (b *Bar) Set(done, total float64, note string) {
	b.mu.Lock()
	b.note, b.total = Escape(note), total
	b.mu.Unlock()
	if b.bar != nil && total > 0 {
		// One short of the end: a bar that is complete cannot go back, as
		// another attempt does.
		b.bar.SetCurrent(int64(max(0, min(done/total*scale, scale-1))))
	}
}

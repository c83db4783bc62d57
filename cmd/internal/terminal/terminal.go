package terminal

import (
	"io"
	"os"
)

// Is reports whether w is a terminal that can draw over what it shows.
func Is(w io.Writer) bool {
	if outer, ok := w.(interface{ Unwrap() io.Writer }); ok {
		w = outer.Unwrap()
	}
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	// The null device is of this kind too, and does not mind being drawn on.
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

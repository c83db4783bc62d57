package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

// The calls of the demo. They read this machine's files, so that no other
// worker offers them.
const (
	scan    deferred.Func[string, counts]           = "demo/scan"
	sum     deferred.Func[[]scanned, totals]        = "demo/total"
	report  deferred.Func[string, string]           = "demo/report"
	apology deferred.Func[deferred.Failure, string] = "demo/apology"
)

// counts are what is in a file.
type counts struct {
	File   string `json:"file"`
	Lines  int64  `json:"lines"`
	Words  int64  `json:"words"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// scanned is how the scan of a file ended, as a join tells it.
type scanned struct {
	State  deferred.State `json:"state"`
	Result counts         `json:"result"`
}

type totals struct {
	Files   int      `json:"files"`
	Lines   int64    `json:"lines"`
	Words   int64    `json:"words"`
	Bytes   int64    `json:"bytes"`
	Largest []counts `json:"largest"`
}

type scanner struct {
	root    *os.Root
	closely string // the file whose progress is shown, if not too small for that
}

const (
	chunk       = 64 << 10
	smallChunk  = 4 << 10
	reportEvery = 100 * time.Millisecond
)

// pieces says how to read a file: in pieces of what size, and how long at least
// to go on before its progress is reported again.
func (s *scanner) pieces(name string, size int64) (piece int64, every time.Duration) {
	if name != s.closely || size > 8*chunk {
		return chunk, reportEvery
	}
	return max(size/8, smallChunk), 0
}

// scan reads a file piece by piece, however large it is.
func (s *scanner) scan(ctx context.Context, name string) (counts, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return counts{}, unreadable(name, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return counts{}, err
	}
	c, hash := counter{counts: counts{File: name}}, sha256.New()
	piece, every := s.pieces(name, info.Size())
	buf := make([]byte, piece)
	for reported := time.Now(); ; {
		n, err := f.Read(buf)
		_, _ = hash.Write(buf[:n])
		c.count(buf[:n])
		if errors.Is(err, io.EOF) {
			c.SHA256 = hex.EncodeToString(hash.Sum(nil))
			return c.counts, nil
		}
		if err = cmp.Or(err, context.Cause(ctx)); err != nil {
			return counts{}, err
		}
		if time.Since(reported) > every {
			reported = time.Now()
			// Progress that cannot be stored is no reason to stop.
			_ = deferred.Report(ctx, deferred.Progress{Done: float64(c.Bytes), Total: float64(info.Size()), Message: name})
		}
	}
}

// unreadable is permanent: what is missing now is missing at the next attempt.
func unreadable(name string, err error) error {
	kind := "cannot be read"
	if errors.Is(err, fs.ErrNotExist) {
		kind = "no such file"
	}
	return deferred.Permanent(&deferred.Failure{Kind: kind, Message: name})
}

// counter counts over pieces, which may end within a word.
type counter struct {
	counts
	inWord bool
}

func (c *counter) count(piece []byte) {
	c.Bytes += int64(len(piece))
	for _, b := range piece {
		space := b == ' ' || b >= '\t' && b <= '\r'
		if b == '\n' {
			c.Lines++
		}
		if !space && !c.inWord {
			c.Words++
		}
		c.inWord = !space
	}
}

const showLargest = 5

// sumUp is the callback of the join: it is called with what became of each scan.
func sumUp(_ context.Context, scans []scanned) (totals, error) {
	var all []counts
	var t totals
	for _, s := range scans {
		if s.State != deferred.Succeeded {
			continue
		}
		c := s.Result
		all = append(all, c)
		t.Files++
		t.Lines += c.Lines
		t.Words += c.Words
		t.Bytes += c.Bytes
	}
	slices.SortFunc(all, func(a, b counts) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.File, b.File)) })
	t.Largest = all[:min(len(all), showLargest)]
	return t, nil
}

// reportOn is a callback: it is called with the result that it follows.
func reportOn(_ context.Context, result string) (string, error) {
	return fmt.Sprintf("the callback was told: %q", result), nil
}

// apologize is an errback: it is called with the failure that it follows, and
// since it succeeds, the failure is dealt with.
func apologize(_ context.Context, f deferred.Failure) (string, error) {
	return fmt.Sprintf("the errback says sorry about %s; it can do without", f.Message), nil
}

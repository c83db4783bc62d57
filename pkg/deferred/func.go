package deferred

import (
	"context"
	"errors"
	"fmt"
)

// A Func names a function and fixes its types. Declare it as a constant that
// the caller and the worker share:
//
//	const Resize deferred.Func[Picture, Thumbnail] = "image/resize"
type Func[A, R any] string

// Call encodes the arguments as MessagePack and gives a [Call] whose other
// fields are the caller's to set. An argument that cannot be encoded shows when
// the call is checked or submitted.
func (f Func[A, R]) Call(args A) Call {
	content, err := Encode(args)
	if err != nil {
		content = Content{err: err}
	}
	return Call{Name: string(f), Args: content}
}

// Submit submits the call under the default terms.
func (f Func[A, R]) Submit(ctx context.Context, s Submitter, args A) (*Deferred, error) {
	return SubmitOne(ctx, s, f.Call(args))
}

// Await waits for the outcome and decodes the result. The error of a deferred
// that did not succeed is a [*Failure].
func (f Func[A, R]) Await(ctx context.Context, d *Deferred) (R, error) {
	var result R
	o, err := d.Await(ctx)
	if err != nil {
		return result, err
	}
	if err := o.Err(); err != nil {
		return result, err
	}
	return result, o.Result.Decode(&result)
}

// SubmitOne submits one call and gives its deferred and its own error.
func SubmitOne(ctx context.Context, s Submitter, c Call) (*Deferred, error) {
	ds, err := s.Submit(ctx, c)
	var batch *BatchError
	if errors.As(err, &batch) && len(batch.Errs) == 1 {
		err = batch.Errs[0]
	}
	if err != nil {
		return nil, err
	}
	if len(ds) != 1 {
		return nil, fmt.Errorf("deferred: the submitter gave %d deferreds for one call", len(ds))
	}
	return ds[0], nil
}

package rpc

import "context"

// Trace is told, in half sentences, what happens on the way to an agent. Text of the guest may be in them, so escape before printing.
type Trace func(event string)

type traceKey struct{}

// WithTrace lets Connect tell trace what it does under the context.
func WithTrace(ctx context.Context, trace Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

func traceOf(ctx context.Context) Trace {
	if trace, ok := ctx.Value(traceKey{}).(Trace); ok {
		return trace
	}
	return func(string) {}
}

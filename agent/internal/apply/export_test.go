package apply

import "context"

// SetBetween is Set where the last setting counts as one that can't be undone, and another writer comes between the look at the keys and the
// first write.
func (a *Applier) SetBetween(ctx context.Context, req Request, writer func()) ([]Outcome, error) {
	if err := a.begin(ctx, len(req.Settings)); err != nil {
		return nil, err
	}
	defer a.end()
	b := a.parse(req)
	if err := b.resolve(); err != nil {
		return nil, err
	}
	defer b.close()
	last := len(b.entries) - 1
	mark := func(context.Context) error { b.entries[last].oneWay = "the test says so"; return nil }
	other := func(context.Context) error { writer(); return nil }
	for _, step := range []func(context.Context) error{b.classify, b.decide, b.open, mark, b.validate, b.admit, other, b.write, b.settle} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b.outcomes(), nil
}

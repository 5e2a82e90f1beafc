package disk

import "testing"

func TestGrown(t *testing.T) {
	l := &Layout{Size: 20 << 20, Root: Extent{1 << 20, 8 << 20}, Hash: Extent{9 << 20, 1 << 20}}
	for _, test := range []struct {
		root, hash int64
		want       Layout
	}{
		{8 << 20, 1 << 20, *l},
		{1, 1, *l},
		{8<<20 + 1, 1, Layout{Size: 22 << 20, Root: Extent{1 << 20, 10 << 20}, Hash: Extent{11 << 20, 1 << 20}}},
		{8 << 20, 1<<20 + 1, Layout{Size: 22 << 20, Root: l.Root, Hash: Extent{9 << 20, 3 << 20}}},
		{13 << 20, 4 << 20, Layout{Size: 30 << 20, Root: Extent{1 << 20, 14 << 20}, Hash: Extent{15 << 20, 5 << 20}}},
	} {
		got := l.Grown(test.root, test.hash)
		if got.Size != test.want.Size || got.Root != test.want.Root || got.Hash != test.want.Hash {
			t.Errorf("Grown(%d, %d) = %+v; want %+v", test.root, test.hash, got, test.want)
		}
	}
}

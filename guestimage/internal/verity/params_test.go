package verity

import (
	"errors"
	"testing"
)

func TestParams(t *testing.T) {
	const text = "root_hash=ab12,salt=cd,data_blocks=768,data_block_size=4096,hash_block_size=4096"
	p, err := Parse(text + "\n")
	if err != nil || p != (Params{"ab12", "cd", 768, 4096, 4096}) || p.String() != text {
		t.Errorf("Parse(%q) = %+v, %v", text, p, err)
	}
	for _, bad := range []string{
		"", "root_hash=ab12",
		"root_hash=xy,salt=cd,data_blocks=768,data_block_size=4096,hash_block_size=4096",
		"root_hash=,salt=cd,data_blocks=768,data_block_size=4096,hash_block_size=4096",
		"root_hash=ab,salt=cd,data_blocks=0,data_block_size=4096,hash_block_size=4096",
		"root_hash=ab,salt=cd,data_blocks=x,data_block_size=4096,hash_block_size=4096",
		text + ",salt=cd", text + ",more=1", text[:len(text)-len(",hash_block_size=4096")],
	} {
		if p, err := Parse(bad); !errors.Is(err, ErrParams) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrParams", bad, p, err)
		}
	}
}

func TestTreeSize(t *testing.T) {
	tree := Tree{DataBlockSize: 4096, HashBlockSize: 4096}
	for data, blocks := range map[int64]int64{ // the superblock, and a block for each 128 below
		4096:        1 + 1,
		128 * 4096:  1 + 1,
		129 * 4096:  1 + 2 + 1,
		5120 * 4096: 1 + 40 + 1, // what veritysetup takes for 20 MiB
	} {
		if got := tree.Size(data); got != blocks*4096 {
			t.Errorf("the tree of %d bytes takes %d; want %d", data, got, blocks*4096)
		}
	}
}

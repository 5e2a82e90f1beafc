package verity

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrParams is returned for what is no kernel_verity_params.
var ErrParams = errors.New("not kernel_verity_params")

// Params is what the kernel needs to check a root file system.
type Params struct {
	RootHash      string // hexadecimal, as the salt
	Salt          string
	DataBlocks    int64
	DataBlockSize int64 // bytes, as the next
	HashBlockSize int64
}

// String is the form of Kata's configuration and of the file that osbuilder leaves beside an image.
func (p Params) String() string {
	return fmt.Sprintf("root_hash=%s,salt=%s,data_blocks=%d,data_block_size=%d,hash_block_size=%d",
		p.RootHash, p.Salt, p.DataBlocks, p.DataBlockSize, p.HashBlockSize)
}

// Parse reads what String writes. All five are needed, in any order.
func Parse(text string) (Params, error) {
	var p Params
	texts := map[string]*string{"root_hash": &p.RootHash, "salt": &p.Salt}
	numbers := map[string]*int64{"data_blocks": &p.DataBlocks, "data_block_size": &p.DataBlockSize, "hash_block_size": &p.HashBlockSize}
	for pair := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		name, value, _ := strings.Cut(pair, "=")
		if field, ok := texts[name]; ok {
			if _, err := hex.DecodeString(value); err != nil || value == "" {
				return Params{}, fmt.Errorf("%w: %s=%q is not hexadecimal", ErrParams, name, value)
			}
			*field = value
			delete(texts, name)
			continue
		}
		field, ok := numbers[name]
		if !ok {
			return Params{}, fmt.Errorf("%w: %q is unknown or there twice", ErrParams, pair)
		}
		number, err := strconv.ParseInt(value, 10, 64)
		if err != nil || number <= 0 {
			return Params{}, fmt.Errorf("%w: %s=%q is not a number above 0", ErrParams, name, value)
		}
		*field = number
		delete(numbers, name)
	}
	for _, name := range []string{"root_hash", "salt"} {
		if _, missing := texts[name]; missing {
			return Params{}, fmt.Errorf("%w: it lacks %s", ErrParams, name)
		}
	}
	for _, name := range []string{"data_blocks", "data_block_size", "hash_block_size"} {
		if _, missing := numbers[name]; missing {
			return Params{}, fmt.Errorf("%w: it lacks %s", ErrParams, name)
		}
	}
	return p, nil
}

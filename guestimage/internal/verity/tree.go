package verity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"kata-sysctl/guestimage/internal/tool"
)

// Errors.
var (
	ErrMismatch = errors.New("the root does not match its hash tree")
	ErrUnknown  = errors.New("the hash tree has no superblock, so its salt is not in the image: give the kernel_verity_params of its configuration")
)

// A Tree is a hash tree as it was found: all that is needed to make another like it.
type Tree struct {
	Salt          string
	UUID          string // of the superblock; empty if the tree has none, as Kata 4.1 makes them
	DataBlockSize int64
	HashBlockSize int64
}

// Look finds what the tree in file is like. Without a superblock only params tell, which may be nil.
func Look(ctx context.Context, file string, params *Params) (Tree, error) {
	found, err := hasSuperblock(file)
	if err != nil {
		return Tree{}, err
	}
	if !found {
		if params == nil {
			return Tree{}, ErrUnknown
		}
		return Tree{Salt: params.Salt, DataBlockSize: params.DataBlockSize, HashBlockSize: params.HashBlockSize}, nil
	}
	out, err := tool.Run(ctx, "veritysetup", "dump", file)
	if err != nil {
		return Tree{}, fmt.Errorf("read verity superblock: %w", err)
	}
	if algorithm := field(out.Stdout, "Hash algorithm"); algorithm != "sha256" {
		return Tree{}, fmt.Errorf("a hash tree of %s: %w: Kata has sha256", algorithm, errors.ErrUnsupported)
	}
	p, err := parse(out.Stdout)
	return Tree{Salt: p.Salt, UUID: field(out.Stdout, "UUID"), DataBlockSize: p.DataBlockSize, HashBlockSize: p.HashBlockSize}, err
}

func hasSuperblock(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	signature := make([]byte, 8)
	if _, err := io.ReadFull(f, signature); err != nil {
		return false, fmt.Errorf("read hash tree: %w", err)
	}
	return string(signature) == "verity\x00\x00", nil // cryptsetup's lib/verity/verity.c
}

// Format writes the tree of the file data to the file hash, and returns what the kernel has to be told.
func (t Tree) Format(ctx context.Context, data, hash string) (Params, error) {
	args := append([]string{"format", "--salt=" + t.Salt}, t.options()...)
	if t.UUID != "" {
		args = append(args, "--uuid="+t.UUID)
	}
	out, err := tool.Run(ctx, "veritysetup", append(args, data, hash)...)
	if err != nil {
		return Params{}, fmt.Errorf("make hash tree: %w", err)
	}
	return parse(out.Stdout)
}

// Verify checks all of data and of the tree in hash against the root hash.
func (t Tree) Verify(ctx context.Context, data, hash string, params Params) error {
	args := append([]string{"verify", "--salt=" + params.Salt, "--data-blocks=" + strconv.FormatInt(params.DataBlocks, 10)}, t.options()...)
	_, err := tool.Run(ctx, "veritysetup", append(args, data, hash, params.RootHash)...)
	if failed, ok := errors.AsType[*tool.FailedError](err); ok {
		return fmt.Errorf("root hash %s: %w: %w", params.RootHash, ErrMismatch, failed)
	}
	return err
}

func (t Tree) options() []string {
	options := []string{
		"--hash=sha256",
		"--data-block-size=" + strconv.FormatInt(t.DataBlockSize, 10),
		"--hash-block-size=" + strconv.FormatInt(t.HashBlockSize, 10),
	}
	if t.UUID == "" {
		options = append(options, "--no-superblock")
	}
	return options
}

// Size is what the tree of so many bytes of data takes at most, in bytes: each level is 1/128 of the one below.
func (t Tree) Size(data int64) int64 {
	size := t.HashBlockSize // of the superblock
	perBlock := t.HashBlockSize / 32
	for blocks := (data + t.DataBlockSize - 1) / t.DataBlockSize; ; {
		blocks = (blocks + perBlock - 1) / perBlock
		size += blocks * t.HashBlockSize
		if blocks <= 1 {
			return size
		}
	}
}

// parse reads the table that format and dump print.
func parse(text string) (Params, error) {
	p := Params{RootHash: field(text, "Root hash"), Salt: field(text, "Salt")}
	for name, number := range map[string]*int64{"Data blocks": &p.DataBlocks, "Data block size": &p.DataBlockSize, "Hash block size": &p.HashBlockSize} {
		value, _, _ := strings.Cut(field(text, name), " ") // some versions add the unit
		var err error
		if *number, err = strconv.ParseInt(value, 10, 64); err != nil {
			return Params{}, fmt.Errorf("veritysetup: %s: %w", name, err)
		}
	}
	return p, nil
}

// field is the text after "name:" at the start of a line.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

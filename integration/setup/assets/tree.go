package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// treeName is the directory of packages, which is another one as soon as one of them changes.
func treeName(component string, packages []Package) string {
	hash := sha256.New()
	for _, p := range packages {
		fmt.Fprintln(hash, p.SHA256)
	}
	return filepath.Join("trees", component+"-"+hex.EncodeToString(hash.Sum(nil))[:16])
}

// treeDigest covers the names, types, permissions and contents of everything below dir, in lexical order.
func treeDigest(dir string) (string, error) {
	total := sha256.New()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(name)
		case d.Type().IsRegular():
			content, err = fileDigest(name)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(total, "%s\x00%v\x00%s\n", strings.TrimPrefix(name, dir), info.Mode(), content)
		return nil
	})
	return hex.EncodeToString(total.Sum(nil)), err
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

package assets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"kata-sysctl/integration/tier"
)

// Config says what to fetch.
type Config struct {
	Series   []string // of the kernels
	Tiers    []tier.Tier
	System   bool // what LoadSystem returns, too
	Refresh  bool // look for newer versions of what the cache has
	Progress Progress
}

// Progress hears of what goes on. It is called from one goroutine.
type Progress interface {
	// Step announces what is done next. Bytes is what all of this run's downloads weigh, once that is known.
	Step(what string, bytes int64)
	// Fetched adds a download.
	Fetched(bytes int64)
}

// Fetch brings the cache up to date, fetching only what it lacks, and returns what it then holds of what was asked for.
func Fetch(ctx context.Context, c Config) ([]Package, error) {
	wanted, err := c.components()
	if err != nil {
		return nil, err
	}
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	locked, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare the cache: %w", err)
	}
	defer locked.Close()

	m, err := readManifest(dir)
	if err != nil {
		return nil, fmt.Errorf("read the cache: %w", err)
	}
	missing := slices.DeleteFunc(slices.Clone(wanted), func(w component) bool {
		e, ok := m.find(w.name)
		return ok && !c.Refresh && e.verify(dir) == nil
	})
	if len(missing) > 0 {
		f := fetcher{dir: dir, manifest: m, progress: c.Progress}
		if err := f.fetch(ctx, missing); err != nil {
			return nil, fmt.Errorf("fetch assets: %w", err)
		}
		m = f.manifest
	}
	return m.packages(wanted), nil
}

// components are what all the kernels need on all the tiers, each once.
func (c Config) components() ([]component, error) {
	var all []component
	for _, series := range c.Series {
		for _, on := range c.Tiers {
			wanted, err := components(series, on)
			if err != nil {
				return nil, err
			}
			for _, w := range wanted {
				if !slices.ContainsFunc(all, func(have component) bool { return have.name == w.name }) {
					all = append(all, w)
				}
			}
		}
	}
	if c.System {
		all = append(all, guestSystem)
	}
	return all, nil
}

// workPattern names the directories that packages are downloaded to and unpacked in.
const workPattern = "fetch-*"

type fetcher struct {
	dir      string
	manifest manifest
	progress Progress
	apt      *privateApt
}

func (f *fetcher) fetch(ctx context.Context, missing []component) (err error) {
	var suites []string
	for _, c := range missing {
		if !slices.Contains(suites, c.suite) {
			suites = append(suites, c.suite)
		}
	}
	f.progress.Step("package lists of "+fmt.Sprint(suites), 0)
	if f.apt, err = newPrivateApt(ctx, filepath.Join(f.dir, "apt"), suites); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.apt.shrink()) }()
	if err := f.apt.update(ctx); err != nil {
		return err
	}

	var total int64
	entries := make([]entry, len(missing))
	for i, c := range missing {
		if entries[i], err = f.resolve(ctx, c); err != nil {
			return err
		}
		for _, p := range entries[i].Packages {
			total += p.size
		}
	}
	for _, e := range entries {
		if err := f.unpack(ctx, e, total); err != nil {
			return err
		}
	}
	return prune(f.dir, f.manifest)
}

// resolve finds the packages of a component in the index.
func (f *fetcher) resolve(ctx context.Context, c component) (entry, error) {
	names := c.packages
	if c.kernel {
		var err error
		if names, err = kernelPackages(ctx, f.apt, c.suite); err != nil {
			return entry{}, err
		}
	}
	e := entry{Component: c.name}
	for _, name := range names {
		r, err := f.apt.show(ctx, name, c.suite)
		if err != nil {
			return entry{}, err
		}
		e.Packages = append(e.Packages, Package{Name: name, Version: r["Version"], Suite: c.suite, SHA256: r["SHA256"], size: r.size()})
	}
	e.Tree = treeName(c.name, e.Packages)
	return e, nil
}

// unpack downloads the packages of a component, and puts their tree in place when it is complete.
func (f *fetcher) unpack(ctx context.Context, e entry, total int64) (err error) {
	if old, ok := f.manifest.find(e.Component); ok && old.Tree == e.Tree && old.verify(f.dir) == nil {
		for _, p := range e.Packages {
			f.progress.Fetched(p.size) // nothing newer
		}
		return nil
	}
	work, err := os.MkdirTemp(f.dir, workPattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	root := filepath.Join(work, "root")
	for _, p := range e.Packages {
		f.progress.Step(p.Name+" "+p.Version, total)
		deb, err := f.apt.download(ctx, work, p)
		if err != nil {
			return err
		}
		hash, err := fileDigest(deb)
		if err != nil {
			return err
		}
		if hash != p.SHA256 {
			return fmt.Errorf("download %s %s: SHA-256 is %s, the signed index says %s", p.Name, p.Version, hash, p.SHA256)
		}
		if _, err := command(ctx, nil, "dpkg-deb", "--extract", deb, root); err != nil {
			return fmt.Errorf("unpack %s: %w", p.Name, err)
		}
		f.progress.Fetched(p.size)
	}
	if e.Digest, err = treeDigest(root); err != nil {
		return err
	}
	tree := filepath.Join(f.dir, e.Tree)
	if err := errors.Join(os.RemoveAll(tree), os.MkdirAll(filepath.Dir(tree), 0o755), os.Rename(root, tree)); err != nil {
		return err
	}
	f.manifest.put(e)
	return f.manifest.write(f.dir)
}

package assets

import (
	"context"
	"fmt"
	"regexp"
)

var (
	kernelImage = regexp.MustCompile(`^linux-image-[0-9].*-cloud-amd64$`)
	// From 7.3 on the image package is empty and depends on these.
	kernelParts = regexp.MustCompile(`^linux-(base|binary|modules)-[0-9].*-cloud-amd64$`)
)

// kernelPackages names the packages behind the kernel metapackage of a suite.
func kernelPackages(ctx context.Context, apt *privateApt, suite string) ([]string, error) {
	meta, err := apt.show(ctx, kernelMetapackage, suite)
	if err != nil {
		return nil, err
	}
	images := matching(meta.depends(), kernelImage)
	if len(images) != 1 {
		return nil, fmt.Errorf("kernel of %s: %s %s depends on %d kernel images instead of one",
			suite, kernelMetapackage, meta["Version"], len(images))
	}
	image, err := apt.show(ctx, images[0], suite)
	if err != nil {
		return nil, err
	}
	if parts := matching(image.depends(), kernelParts); len(parts) > 0 {
		return parts, nil
	}
	return images, nil
}

func matching(names []string, pattern *regexp.Regexp) []string {
	var found []string
	for _, name := range names {
		if pattern.MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}

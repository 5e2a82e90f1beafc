package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
)

// Write writes the document, of CycloneDX 1.6 in JSON. It depends on its arguments alone.
func Write(w io.Writer, agent []byte, entries []rootfs.Entry, date time.Time) error {
	info, err := buildinfo.Read(bytes.NewReader(agent))
	if err != nil {
		return fmt.Errorf("the agent's modules: %w", err)
	}
	name := payload.AgentPath[strings.LastIndexByte(payload.AgentPath, '/')+1:]
	application := cdx.Component{BOMRef: name, Type: cdx.ComponentTypeApplication, Name: name, Version: info.Main.Version, Hashes: digest(agent)}
	modules := []cdx.Component{module("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, dependency := range info.Deps {
		modules = append(modules, module(source(dependency)))
	}
	var references []string
	for _, m := range modules {
		references = append(references, m.BOMRef)
	}

	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: date.UTC().Format(time.RFC3339), Component: &application}
	components := append(modules, files(entries)...)
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: application.BOMRef, Dependencies: &references}}
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

// source is what a module was really built from.
func source(m *debug.Module) (path, version string) {
	if m.Replace != nil {
		m = m.Replace
	}
	return m.Path, m.Version
}

func module(path, version string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
}

// files are the regular files that were added. The guest's own init, which got another name, is none of them.
func files(entries []rootfs.Entry) []cdx.Component {
	var components []cdx.Component
	for _, e := range entries {
		if !e.Mode.IsRegular() || e.From != "" || strings.HasSuffix(e.Path, rootfs.RealSuffix) {
			continue
		}
		name := "/" + e.Path
		components = append(components, cdx.Component{BOMRef: "file:" + name, Type: cdx.ComponentTypeFile, Name: name, Hashes: digest(e.Content)})
	}
	return components
}

func digest(content []byte) *[]cdx.Hash {
	sum := sha256.Sum256(content)
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
}

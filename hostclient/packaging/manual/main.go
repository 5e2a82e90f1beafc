// Command manual writes the man pages and the completion scripts of hostclient, from the commands themselves, for the packages:
//
//	DIR/man/hostclient.1.gz, DIR/man/hostclient-set.1.gz …
//	DIR/completion/bash, fish, zsh
//
// Same sources, same bytes: $SOURCE_DATE_EPOCH dates the pages. It is a program of its own so that hostclient doesn't carry the generator.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"kata-sysctl/hostclient/internal/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: manual DIR VERSION")
	}
	root := cli.Command()
	if err := writeCompletions(root, filepath.Join(args[0], "completion")); err != nil {
		return err
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Usage = markdown.Replace(f.Usage) })
	return writePages(root, filepath.Join(args[0], "man"), args[1])
}

// writePages writes a page for each command, compressed as Debian wants them.
func writePages(cmd *cobra.Command, dir, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writePages(sub, dir, version); err != nil {
			return err
		}
	}
	header := &doc.GenManHeader{
		Title: strings.ToUpper(strings.ReplaceAll(cmd.CommandPath(), " ", "-")), Section: "1",
		Source: "kata-sysctl " + version, Manual: "kata-sysctl",
	}
	escape(cmd)
	var page bytes.Buffer
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return err
	}
	return writeCompressed(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1.gz"), page.Bytes())
}

// markdown is what the generator would take for mark-up: our texts are plain.
var markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", `\<`)

func escape(cmd *cobra.Command) {
	cmd.Short, cmd.Long = markdown.Replace(cmd.Short), markdown.Replace(cmd.Long)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if cmd.PersistentFlags().Lookup(f.Name) == nil { // those are every command's, and escaped already
			f.Usage = markdown.Replace(f.Usage)
		}
	})
}

func writeCompressed(path string, text []byte) error {
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, compressed.Bytes(), 0o644)
}

func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	scripts := []struct {
		shell string
		write func(*bytes.Buffer) error
	}{
		{"bash", func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) }},
		{"fish", func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) }},
		{"zsh", func(b *bytes.Buffer) error { return root.GenZshCompletion(b) }},
	}
	for _, s := range scripts {
		var text bytes.Buffer
		if err := s.write(&text); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s.shell), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

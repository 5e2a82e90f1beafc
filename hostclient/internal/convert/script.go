package convert

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/sysctld"
)

// script is what a container does, as far as it has been read.
type script struct {
	file string
	text string        // of the shell script
	at   func(int) int // line of the script → line of the file

	settings []sysctld.Line
	foreign  []Statement
}

const (
	// maxScript is far above any init container's script, and keeps the nesting that the parser follows within bounds.
	maxScript = 64 << 10
	// maxText is how much of a statement is shown.
	maxText = 120
)

func (s *script) complain(line int, text, why string) {
	text = strings.TrimSpace(text)
	if first, _, more := strings.Cut(text, "\n"); more {
		text = first + " …"
	}
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText]) + "…"
	}
	s.foreign = append(s.foreign, Statement{Pos: sysctld.Position{File: s.file, Line: line}, Text: text, Why: why})
}

// refuse complains about a node of the shell's syntax.
func (s *script) refuse(n syntax.Node, why string) {
	s.complain(s.at(int(n.Pos().Line())), s.source(n), why)
}

func (s *script) source(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	return s.text[min(from, len(s.text)):min(max(from, to), len(s.text))]
}

func (s *script) parse(language syntax.LangVariant, node *yaml.Node) {
	s.text = node.Value
	s.at = func(line int) int { return manifest.LineOf(node, line) }
	if len(s.text) > maxScript {
		s.complain(node.Line, s.text, fmt.Sprintf("the script has %d bytes, and at most %d are read", len(s.text), maxScript))
		return
	}
	file, err := syntax.NewParser(syntax.Variant(language)).Parse(strings.NewReader(node.Value), "")
	if err != nil {
		line, why := 1, err.Error()
		if parse, ok := errors.AsType[syntax.ParseError](err); ok {
			line, why = int(parse.Pos.Line()), parse.Text
		}
		s.complain(s.at(max(line, 1)), node.Value, "the shell would not take it: "+why)
		return
	}
	for i, stmt := range file.Stmts {
		if i > 0 && i == len(file.Stmts)-1 && s.source(stmt) == "exit 0" {
			return
		}
		s.statement(stmt, false)
	}
}

func (s *script) statement(stmt *syntax.Stmt, mayFail bool) {
	if stmt.Negated || stmt.Background || stmt.Coprocess {
		s.refuse(stmt, "it is negated or runs in the background")
		return
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		s.call(stmt, cmd, mayFail)
		return
	case *syntax.Block:
		if len(stmt.Redirs) == 0 {
			s.statements(cmd.Stmts, mayFail)
			return
		}
	case *syntax.Subshell:
		if len(stmt.Redirs) == 0 {
			s.statements(cmd.Stmts, mayFail)
			return
		}
	case *syntax.BinaryCmd:
		switch {
		case cmd.Op == syntax.AndStmt:
			s.statements([]*syntax.Stmt{cmd.X, cmd.Y}, mayFail)
			return
		case cmd.Op == syntax.OrStmt && s.hasNoEffect(cmd.Y):
			s.statement(cmd.X, true) // "… || true": it may fail
			return
		case cmd.Op == syntax.OrStmt:
			s.refuse(cmd.Y, "it runs only if something before it fails")
			s.statement(cmd.X, mayFail)
			return
		case cmd.Op == syntax.Pipe:
			s.pipe(stmt, cmd, mayFail)
			return
		}
	}
	s.refuse(stmt, "a construct of the shell that is not followed here: only commands one after the other are")
}

func (s *script) statements(stmts []*syntax.Stmt, mayFail bool) {
	for _, stmt := range stmts {
		s.statement(stmt, mayFail)
	}
}

// hasNoEffect tells of a statement alone whether it changes nothing.
func (s *script) hasNoEffect(stmt *syntax.Stmt) bool {
	trial := &script{file: s.file, text: s.text, at: s.at}
	trial.statement(stmt, false)
	return len(trial.settings) == 0 && len(trial.foreign) == 0
}

// call reads a simple command.
func (s *script) call(stmt *syntax.Stmt, cmd *syntax.CallExpr, mayFail bool) {
	argv, ok := s.argv(stmt, cmd)
	if !ok {
		return
	}
	out, ok := s.output(stmt)
	if !ok {
		return
	}
	s.command(s.source(stmt), int(stmt.Pos().Line()), argv, out, mayFail)
}

// argv are the words of a command that depend on nothing.
func (s *script) argv(stmt *syntax.Stmt, cmd *syntax.CallExpr) (argv []string, ok bool) {
	if len(cmd.Assigns) > 0 || len(cmd.Args) == 0 {
		s.refuse(stmt, "variables are not followed")
		return nil, false
	}
	for _, w := range cmd.Args {
		text, ok := static(w)
		if !ok {
			s.refuse(stmt, s.source(w)+" depends on a variable, a command or the files that are there")
			return nil, false
		}
		argv = append(argv, text)
	}
	if path.Base(argv[0]) == "busybox" && len(argv) > 1 {
		argv = argv[1:]
	}
	return argv, true
}

// static is the text of a word that is the same whenever it runs.
func static(w *syntax.Word) (string, bool) {
	fixed := true
	syntax.Walk(w, func(n syntax.Node) bool {
		switch n := n.(type) {
		case nil, *syntax.Word:
		case *syntax.Lit:
		case *syntax.SglQuoted:
			fixed = fixed && !n.Dollar
		case *syntax.DblQuoted:
			fixed = fixed && !n.Dollar
		default:
			fixed = false
		}
		return fixed
	})
	for _, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok && strings.ContainsAny(lit.Value, "*?[~{") {
			fixed = false
		}
	}
	if !fixed {
		return "", false
	}
	text, err := expand.Literal(nil, w)
	// Kubernetes expands $(NAME) even within quotes, and takes $$ for $.
	return text, err == nil && !strings.Contains(text, "$")
}

// output is the file that a statement's output goes to: empty for none. What goes to /dev/null or to another of its outputs is none. Once it
// goes to a file, nothing may lead it elsewhere: "> FILE > /dev/null" and "> FILE >&2" write nothing to FILE.
func (s *script) output(stmt *syntax.Stmt) (file string, ok bool) {
	for _, r := range stmt.Redirs {
		to, fixed := "", false
		if r.Word != nil {
			to, fixed = static(r.Word)
		}
		aside := r.N != nil && r.N.Value != "1" && r.Op != syntax.RdrAll
		switch {
		case !fixed:
			s.refuse(stmt, "where its output goes depends on something")
			return "", false
		case file != "" && !aside:
			s.refuse(stmt, "its output is led elsewhere once more: "+s.source(r))
			return "", false
		case r.Op == syntax.DplOut && (to == "1" || to == "2"):
		case (r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.RdrAll) && to == "/dev/null":
		case (r.Op == syntax.RdrOut || r.Op == syntax.ClbOut) && !aside:
			file = to
		default:
			s.refuse(stmt, "a redirection that is not understood: "+s.source(r))
			return "", false
		}
	}
	return file, true
}

// pipe reads "echo VALUE | tee FILE…".
func (s *script) pipe(stmt *syntax.Stmt, cmd *syntax.BinaryCmd, mayFail bool) {
	left, isCall := cmd.X.Cmd.(*syntax.CallExpr)
	right, isCall2 := cmd.Y.Cmd.(*syntax.CallExpr)
	if !isCall || !isCall2 || len(cmd.X.Redirs) > 0 {
		s.refuse(stmt, "a pipe that is not understood: only echo VALUE | tee FILE is")
		return
	}
	from, ok := s.argv(cmd.X, left)
	if !ok {
		return
	}
	to, ok := s.argv(cmd.Y, right)
	if !ok {
		return
	}
	out, ok := s.output(cmd.Y)
	if !ok {
		return
	}
	value, why := printed(from)
	if why == "" && (path.Base(to[0]) != "tee" || out != "" || len(to) < 2 || strings.HasPrefix(to[1], "-")) {
		why = "a pipe that is not understood: only echo VALUE | tee FILE is"
	}
	if why != "" {
		s.refuse(stmt, why)
		return
	}
	for _, file := range to[1:] {
		s.write(s.source(stmt), int(stmt.Pos().Line()), file, value, mayFail)
	}
}

// command judges a command whose output goes to the file out, or nowhere.
func (s *script) command(source string, line int, argv []string, out string, mayFail bool) {
	name := path.Base(argv[0])
	switch {
	case name == "echo" || name == "printf":
		if out == "" {
			return // a message
		}
		value, why := printed(argv)
		if why != "" {
			s.complain(s.at(line), source, why)
			return
		}
		s.write(source, line, out, value, mayFail)
	case out != "":
		s.complain(s.at(line), source, "what "+name+" writes can't be known here")
	case name == "sysctl":
		s.sysctl(source, line, argv[1:], mayFail)
	case !withoutEffect(name, argv[1:]):
		s.complain(s.at(line), source, name+" does something else than setting sysctls")
	}
}

// withoutEffect are the commands that people put beside: what only matters to the script itself or to what it prints.
func withoutEffect(name string, args []string) bool {
	switch name {
	case "true", ":", "cat":
		return true
	case "set":
		return len(args) == 2 && args[0] == "-o" && args[1] == "pipefail" ||
			len(args) == 1 && strings.HasPrefix(args[0], "-") && strings.Trim(args[0][1:], "eux") == ""
	case "mount": // it lets this container write /proc/sys and no other
		return strings.Join(args, " ") == "-o remount,rw /proc/sys" || strings.Join(args, " ") == "-o rw,remount /proc/sys"
	}
	return false
}

// printed is what echo or printf prints, without the last line break; or why that can't be said.
func printed(argv []string) (value, why string) {
	args := argv[1:]
	switch path.Base(argv[0]) {
	case "echo":
		if len(args) > 0 && args[0] == "-n" {
			args = args[1:]
		}
		value = strings.Join(args, " ")
		if strings.HasPrefix(value, "-") && strings.Trim(strings.Fields(value)[0], "-neE") == "" || strings.Contains(value, `\`) {
			return "", "what echo makes of it differs from shell to shell"
		}
		return value, ""
	case "printf":
		if len(args) == 2 {
			switch strings.TrimSuffix(args[0], `\n`) {
			case "%s":
				return args[1], ""
			case "%d":
				if n, err := strconv.ParseInt(args[1], 10, 64); err == nil && strconv.FormatInt(n, 10) == args[1] {
					return args[1], ""
				}
			}
		}
		if len(args) == 1 {
			if text := strings.TrimSuffix(args[0], `\n`); !strings.ContainsAny(text, `%\`) {
				return text, ""
			}
		}
		return "", "a format of printf that is not understood"
	}
	return "", "what " + path.Base(argv[0]) + " prints can't be known here"
}

// procSys is where the sysctls are.
const procSys = "/proc/sys/"

func (s *script) write(source string, line int, file, value string, mayFail bool) {
	if path.Clean(file) != file || !strings.HasPrefix(file, procSys) {
		s.complain(s.at(line), source, fmt.Sprintf("%s is no sysctl: those are the files below /proc/sys", file))
		return
	}
	s.set(source, line, sysctld.KeyOfPath(strings.TrimPrefix(file, procSys)), value, mayFail)
}

// sysctl reads the arguments of sysctl(8): options, KEY=VALUE to write and KEY to read.
func (s *script) sysctl(source string, line int, args []string, mayFail bool) {
	for _, arg := range args {
		if option, ok := strings.CutPrefix(arg, "-"); ok {
			switch {
			case option == "-write" || option == "-quiet" || option != "" && strings.Trim(option, "wqn") == "":
			case option == "-ignore" || option != "" && strings.Trim(option, "ewqn") == "":
				mayFail = true
			default:
				s.complain(s.at(line), source, "sysctl "+arg+" reads settings from elsewhere or is not understood")
				return
			}
			continue
		}
		if key, value, ok := strings.Cut(arg, "="); ok {
			s.set(source, line, key, value, mayFail)
		}
	}
}

// set notes a setting, if the annotation can hold it.
func (s *script) set(source string, line int, key, value string, mayFail bool) {
	pos := sysctld.Position{File: s.file, Line: s.at(line)}
	setting, bad := sysctld.Assignment(pos, key, value)
	if bad != nil {
		s.complain(pos.Line, source, bad.Reason)
		return
	}
	setting.MayFail = mayFail
	again, malformed := sysctld.ParseAnnotation("", compact(setting))
	if malformed != nil || len(again) != 1 || again[0].String() != setting.String() {
		s.complain(pos.Line, source, "the annotation can't hold it: a \";\" separates settings there")
		return
	}
	s.settings = append(s.settings, setting)
}

package main

// What the subcommands say in a shell: help, answers and refusals, in assets/lang/*.shell.json, as "help.…" and "sh.…". Names that other
// programs or further commands read (states, roles, reasons, lanes) are the same in every language, and so is JSON.

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/budayang/kiosk/service"
)

// language is the shell's; English where nobody said.
func (s stdio) language() string {
	if s.lang == "" {
		return "en"
	}
	return s.lang
}

// word says a text in the shell's language.
func (s stdio) word(t service.Text) string { return lexicon().Say(s.language(), t) }

// shellText is the text sh.ID with its values.
func shellText(id string, pairs ...any) service.Text {
	var all []string
	for _, v := range pairs {
		all = append(all, fmt.Sprint(v))
	}
	return service.T("sh."+id, all...)
}

// say words sh.ID.
func (s stdio) say(id string, pairs ...any) string { return s.word(shellText(id, pairs...)) }

// tell writes sh.ID as a line.
func (s stdio) tell(id string, pairs ...any) { fmt.Fprintln(s.out, s.say(id, pairs...)) }

// fault says what went wrong: English has an error's own words, another language those of its kind.
func (s stdio) fault(err error) string {
	if s.language() == "en" {
		return err.Error()
	}
	var lines []string
	for _, e := range joined(err) {
		lines = append(lines, s.word(faultOf(e)))
	}
	return strings.Join(lines, "\n")
}

// joined are the errors that stand in lines of their own.
func joined(err error) (all []error) {
	many, is := err.(interface{ Unwrap() []error })
	if !is || !strings.Contains(err.Error(), "\n") {
		return []error{err}
	}
	for _, e := range many.Unwrap() {
		all = append(all, joined(e)...)
	}
	return all
}

// refuse is an error in the words of sh.ID.
func refuse(id string, pairs ...any) error { return said{text: shellText(id, pairs...)} }

// refuseBy is one because of another, which is {why}.
func refuseBy(err error, id string, pairs ...any) error {
	return said{shellText(id, pairs...).With("why", faultOf(err)), err}
}

// padded fills up to a width in columns, of which a Chinese character takes two; to the left where the width is negative.
func padded(s string, width int) string {
	n := 0
	for _, r := range s {
		if n++; unicode.Is(unicode.Han, r) {
			n++
		}
	}
	if fill := strings.Repeat(" ", max(0, max(width, -width)-n)); width > 0 {
		return fill + s
	} else {
		return s + fill
	}
}

// A sentence is an English text of the language files that sentences made elsewhere are recognised by.
type sentence struct {
	id    string
	shape *regexp.Regexp
}

// sentences are the texts whose ids begin so, the longest first: of two that match it is the one that says more.
var sentences = func() func(prefix string) []sentence {
	var mu sync.Mutex
	known := map[string][]sentence{}
	value := regexp.MustCompile(`\\\{([a-z0-9]+)\\\}`)
	return func(prefix string) []sentence {
		mu.Lock()
		defer mu.Unlock()
		if all, is := known[prefix]; is {
			return all
		}
		all := []sentence{}
		words := lexicon()["en"]
		for id, text := range words {
			if strings.HasPrefix(id, prefix) {
				all = append(all, sentence{id, regexp.MustCompile(`(?s)^` + value.ReplaceAllString(regexp.QuoteMeta(text), `(?P<$1>.+?)`) + `$`)})
			}
		}
		slices.SortFunc(all, func(a, b sentence) int {
			if d := len(words[b.id]) - len(words[a.id]); d != 0 {
				return d
			}
			return strings.Compare(a.id, b.id)
		})
		known[prefix] = all
		return all
	}
}()

// recognised is the text that an English sentence is; quoted as it stands where it is none of those whose ids begin so. parts begins the
// ids of what may stand in it as a value.
func recognised(prefix, parts, s string) service.Text {
	for _, known := range sentences(prefix) {
		m := known.shape.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		t := service.T(known.id)
		for i, name := range known.shape.SubexpNames() {
			if name == "" {
				continue
			}
			part := plainText(m[i])
			if parts != "" {
				part = recognised(parts, "", strings.TrimSpace(m[i])) // columns are filled up
			}
			t = t.With(name, part)
		}
		return t
	}
	return plainText(s)
}

// chainFinding is what is wrong with an audit chain, as wire.AuditWalk, the journal and the auditor say it.
func chainFinding(s string) service.Text { return recognised("sh.chain.", "sh.claim.", s) }

// misused says what is wrong with a command line.
func misused(err error) service.Text { return recognised("sh.misused.", "", err.Error()) }

// askedLanguage is what the command line says of the language, before it is parsed: help and mistakes are in it too.
func askedLanguage(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, is := strings.CutPrefix(a, "--lang="); is && slices.Contains(service.Languages, v) {
			return v
		}
		if a == "--lang" && i+1 < len(args) && slices.Contains(service.Languages, args[i+1]) {
			return args[i+1]
		}
	}
	return "auto"
}

// helpOf words one thing of the command line: the node at a path, or a flag ("--json") or an argument ("FILE") of it. What several
// commands have is worded once.
func helpOf(lang, path, name string) string {
	for _, id := range []string{strings.TrimSuffix("help."+path+"."+name, "."), "help." + name} {
		if text := lexicon()[lang][id]; text != "" {
			return text
		}
	}
	return ""
}

// wordHelp gives every command, flag and argument its help in one language.
func wordHelp(n *kong.Node, lang string, path ...string) {
	at := strings.Join(path, ".")
	if n.Type == kong.ApplicationNode {
		n.Help = helpOf(lang, "kiosk", "")
	} else {
		n.Help = helpOf(lang, at, "")
	}
	for _, f := range n.Flags {
		f.Help = helpOf(lang, at, "--"+f.Name)
	}
	for _, p := range n.Positional {
		p.Help = helpOf(lang, at, p.Name)
	}
	for _, c := range n.Children {
		wordHelp(c, lang, append(slices.Clone(path), c.Name)...)
	}
}

// helpPrinter prints kong's help, with its own words in another language than English too.
func helpPrinter(lang string) kong.HelpPrinter {
	return func(o kong.HelpOptions, ctx *kong.Context) error {
		if lang == "en" {
			return kong.DefaultHelpPrinter(o, ctx)
		}
		var b bytes.Buffer
		out := ctx.Stdout
		ctx.Stdout = &b
		err := kong.DefaultHelpPrinter(o, ctx)
		ctx.Stdout = out
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				line = lexicon().Say(lang, recognised("sh.frame.", "", line))
			}
			fmt.Fprintln(out, line)
		}
		return err
	}
}

// shell is who a command line talks with.
func shellOf(args []string) stdio {
	return stdio{os.Stdin, os.Stdout, os.Stderr, shellLanguage(askedLanguage(args))}
}

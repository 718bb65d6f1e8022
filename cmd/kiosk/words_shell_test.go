package main

// What the subcommands say: every text worded in both languages, and whole commands run in each without a sentence of the other.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

// shellWords are the shell's words of one language.
func shellWords(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := assets.FS.ReadFile("lang/" + lang + ".shell.json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	// namedInShells are words that are the same in every language: what is typed, files, keys, identifiers.
	namedInShells = regexp.MustCompile(`(?:kiosk|platform|systemctl|timedatectl)(?: [a-z-]+)*|--[a-z-]+(?: [A-Z]+)?|"[^"]*"|[a-z]+(?:-[a-z]+)+`)
	oneWord       = regexp.MustCompile(`^[(（]?[A-Z]?[a-z']+[,.:;)?]?$`)
)

// englishIn is the first English sentence of a Chinese text: three words in a row that are nothing to type.
func englishIn(text string) string {
	for line := range strings.Lines(text) {
		row := 0
		words := strings.Fields(namedInShells.ReplaceAllString(line, "·"))
		for i, w := range words {
			if !oneWord.MatchString(w) {
				row = 0
				continue
			}
			if row++; row == 3 {
				return strings.Join(words[i-2:], " ")
			}
		}
	}
	return ""
}

// chineseIn is the first Chinese character, with its line.
func chineseIn(text string) string {
	for line := range strings.Lines(text) {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			return line
		}
	}
	return ""
}

func TestLanguageOfAText(t *testing.T) {
	for text, want := range map[string]string{
		"终端正在运行；先停下它（systemctl stop budayang）": "", "改正它，或运行 kiosk key move": "", "the terminal is running": "the terminal is running",
		"须给出其中之一：\"show\"，\"export\"": "", "  tx 1 1 0 1": "", "原文：printer went silent": "", "  原文 printer went silent": "printer went silent",
		"reasons：tray-empty paper-jammed other": "",
	} {
		if got := englishIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if chineseIn("a\n b 中\n") != " b 中\n" || chineseIn("a “b” …") != "" {
		t.Error("Chinese is not found")
	}
}

// Every id that the source can say has words, every word is said, and a value that Chinese asks for is one that English has too.
func TestTheShellIsWorded(t *testing.T) {
	zh, en := shellWords(t, "zh"), shellWords(t, "en")
	said := regexp.MustCompile(`(?:\b(?:say|tell|refuse|shellText)\(|\brefuseBy\([a-zA-Z.]+, )"([a-zA-Z0-9.-]*[a-zA-Z0-9])"`)
	direct := regexp.MustCompile(`"sh\.([a-zA-Z0-9.-]*[a-zA-Z0-9])"`)
	used := map[string]bool{}
	for _, kind := range []string{foundSerial, foundCamera, foundUSB, foundHID} {
		used["sh.devices."+strings.ReplaceAll(kind, " ", "-")] = true
	}
	for _, id := range []string{"key.in-file", "key.in-tpm"} { // placed.says
		used["sh."+id] = true
	}
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, re := range []*regexp.Regexp{said, direct} {
			for _, m := range re.FindAllStringSubmatch(string(b), -1) {
				used["sh."+m[1]] = true
			}
		}
	}
	if len(used) < 120 {
		t.Fatalf("only %d ids found: the search is broken", len(used))
	}
	for id := range used {
		if zh[id] == "" || en[id] == "" {
			t.Errorf("%s: zh %q, en %q", id, zh[id], en[id])
		}
	}
	value := regexp.MustCompile(`\{[a-z0-9]+\}`)
	for id, text := range zh {
		recognised := strings.HasPrefix(id, "sh.chain.") || strings.HasPrefix(id, "sh.claim.") || strings.HasPrefix(id, "sh.misused.") || strings.HasPrefix(id, "sh.frame.")
		if strings.HasPrefix(id, "sh.") && !used[id] && !recognised {
			t.Errorf("%s is worded and never said", id)
		}
		if got := englishIn(text); got != "" {
			t.Errorf("%s: English in the Chinese wording: %q", id, got)
		}
		if got := chineseIn(en[id]); got != "" {
			t.Errorf("%s: Chinese in the English wording: %q", id, got)
		}
		for _, v := range value.FindAllString(text, -1) {
			if !strings.Contains(en[id], v) {
				t.Errorf("%s: %s in Chinese alone", id, v)
			}
		}
	}
}

// commandPaths are all commands, as typed, and the ids of their help.
func commandPaths(t *testing.T, lang string) (paths [][]string, helped map[string]bool) {
	t.Helper()
	var c commands
	p, err := kong.New(&c, kong.Name("kiosk"), kong.Vars(benchVars()))
	if err != nil {
		t.Fatal(err)
	}
	helped = map[string]bool{"help.kiosk": true}
	var walk func(n *kong.Node, at []string)
	walk = func(n *kong.Node, at []string) {
		paths = append(paths, at)
		path := strings.Join(at, ".")
		check := func(name string) {
			own := strings.TrimSuffix("help."+path+"."+name, ".")
			if len(at) == 0 {
				own = "help." + name
			}
			helped[own], helped["help."+name] = true, true
			if helpOf(lang, path, name) == "" {
				t.Errorf("%s: %s has no help", lang, own)
			}
		}
		if len(at) > 0 {
			check("")
		}
		for _, f := range n.Flags {
			check("--" + f.Name)
		}
		for _, a := range n.Positional {
			check(a.Name)
		}
		for _, c := range n.Children {
			walk(c, append(slices.Clone(at), c.Name))
		}
	}
	walk(p.Model.Node, nil)
	return paths, helped
}

// ran is one command line, with a language, and what it wrote.
func ran(lang string, args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = commandLine(append(args, "--lang", lang), stdio{strings.NewReader(""), &o, &e, lang})
	return code, o.String(), e.String()
}

func TestHelpOfEveryCommand(t *testing.T) {
	for _, lang := range service.Languages {
		paths, helped := commandPaths(t, lang)
		if len(paths) < 40 {
			t.Fatalf("only %d commands found", len(paths))
		}
		for id := range shellWords(t, lang) {
			if strings.HasPrefix(id, "help.") && !helped[id] {
				t.Errorf("%s: %s is worded and belongs to nothing", lang, id)
			}
		}
		for _, path := range paths {
			code, out, errs := ran(lang, append(slices.Clone(path), "--help")...)
			if code != 0 || errs != "" || len(out) < 40 {
				t.Errorf("%v: exit %d, %q %q", path, code, out, errs)
			}
			switch lang {
			case "en":
				if got := chineseIn(out); got != "" || !strings.HasPrefix(out, "Usage: kiosk") {
					t.Errorf("%v: Chinese in English help: %q", path, got)
				}
			default:
				if got := englishIn(out); got != "" || !strings.HasPrefix(out, "用法：kiosk") {
					t.Errorf("%v: English in Chinese help: %q\n%s", path, got, out)
				}
			}
		}
	}
}

// A command line that is wrong is answered in the language too.
func TestMistakesOfACommandLine(t *testing.T) {
	for _, x := range []struct{ args, zh string }{
		{"nonsense", "多余的参数 nonsense"},
		{"outbx", "没有 outbx"},
		{"outbox --jsn", "没有选项 --jsn"},
		{"outbox --frobnicate", "没有选项 --frobnicate"},
		{"desk", "须给出其中之一"},
		{"desk show", "缺少"},
		{"stock load 5", "缺少选项：--operator"},
		{"stock load five --operator op.x", "应为整数"},
		{"stock count -- -5 --operator op.x", ""},
		{"stock resolve x lost --operator op.li --second op.chen", "之一"},
		{"enroll --patience soon", "应为一段时间"},
	} {
		code, _, errs := ran("zh", strings.Fields(x.args)...)
		if code != 2 || !strings.Contains(errs, x.zh) || englishIn(errs) != "" {
			t.Errorf("%s: exit %d, %q", x.args, code, errs)
		}
		if code, _, errs := ran("en", strings.Fields(x.args)...); code != 2 || chineseIn(errs) != "" || len(errs) < 12 {
			t.Errorf("%s: exit %d, %q", x.args, code, errs)
		}
	}
}

// Whatever the walk of an audit chain can say is recognised: its formats are read from its source.
func TestFindingsOfAChainAreRecognised(t *testing.T) {
	n := 0
	for file, format := range map[string]*regexp.Regexp{
		"../../sync/wire/chain.go":    regexp.MustCompile(`w\.bad\("([^"]+)"`),
		"../../sync/journal/audit.go": regexp.MustCompile(`r\.Problems = append\(r\.Problems, fmt\.Sprintf\("([^"]+)"`),
	} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range format.FindAllStringSubmatch(string(b), -1) {
			text := regexp.MustCompile(`%[.0-9]*[qv]|%s`).ReplaceAllString(strings.ReplaceAll(m[1], "%d", "7"), "signature does not verify")
			if !strings.HasPrefix(text, "epoch") {
				text = "epoch 2: " + text
			}
			x := chainFinding(text)
			if got := english(x); got != text {
				t.Errorf("%q became %q", text, got)
			}
			if zh := lexicon().Say("zh", x); chineseIn(zh) == "" || englishIn(zh) != "" || !strings.Contains(zh, "7") && strings.Contains(text, "7") {
				t.Errorf("%q is %q", text, zh)
			}
			n++
		}
	}
	if n < 12 {
		t.Errorf("only %d formats found", n)
	}
	for _, text := range []string{"audit.head: not a signed head", "what the platform acknowledged: signature does not verify", "epoch 1: record 3 is another than the head that was signed last",
		"epoch 1: ends at 4, but what the platform acknowledged went to 9: entries were cut off"} {
		if zh := lexicon().Say("zh", chainFinding(text)); englishIn(zh) != "" || chineseIn(zh) == "" || english(chainFinding(text)) != text {
			t.Errorf("%q is %q", text, zh)
		}
	}
	if got := lexicon().Say("zh", chainFinding("something new")); got != "something new" {
		t.Errorf("%q", got)
	}
}

// inBoth is the scripts' command "both [-quoted WORDS|WORDS] ARGS…": kiosk with these arguments in either language. Each must say
// something, nothing in the other language but what -quoted names, and both must end as expected. Without arguments it fails if one before
// it did not keep to that.
func inBoth(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		if wrong := ts.Getenv("WRONG"); wrong != "" {
			ts.Fatalf("%s", wrong)
		}
		return
	}
	quoted := ""
	if len(args) > 1 && args[0] == "-quoted" {
		quoted, args = args[1], args[2:]
	}
	wrong := func(format string, a ...any) {
		ts.Setenv("WRONG", ts.Getenv("WRONG")+fmt.Sprintf("\n%v: ", args)+fmt.Sprintf(format, a...))
	}
	said := map[string]string{}
	for lang, locale := range map[string]string{"zh": "zh_CN.UTF-8", "en": "en_US.UTF-8"} {
		ts.Setenv("LANG", locale)
		err := ts.Exec("kiosk", args...)
		text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		said[lang] = text
		for _, q := range strings.Split(quoted, "|") {
			if q != "" {
				text = strings.ReplaceAll(text, q, "·")
			}
		}
		switch other := englishIn(text); {
		case (err != nil) != neg:
			wrong("%s: ended with %v\n%s", lang, err, text)
		case strings.TrimSpace(text) == "":
			wrong("%s: nothing is said", lang)
		case lang == "zh" && other != "":
			wrong("English in Chinese: %q", other)
		case lang == "zh" && chineseIn(text) == "":
			wrong("no Chinese in Chinese: %q", text)
		case lang == "en" && chineseIn(text) != "":
			wrong("Chinese in English: %q", chineseIn(text))
		}
	}
	ts.Setenv("LANG", "")
	if said["zh"] == said["en"] {
		wrong("the same is said in both languages")
	}
}

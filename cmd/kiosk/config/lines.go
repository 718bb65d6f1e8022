package config

// Where each key stands in the file, for problems that the decoder cannot know (a value of the right type that makes no
// sense).

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines maps dotted keys and table names to their line, from 1. A file that does not parse gives what was found before.
func lines(text []byte) map[string]int {
	at := map[string]int{}
	p := &unstable.Parser{}
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		line := 0
		for k := e.Key(); k.Next(); {
			if line == 0 {
				line = p.Shape(k.Node().Raw).Start.Line
			}
			parts = append(parts, string(k.Node().Data))
		}
		name := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = name
			at[table] = line
		case unstable.KeyValue:
			if table != "" {
				name = table + "." + name
			}
			at[name] = line
		}
	}
	return at
}

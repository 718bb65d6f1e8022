package main

// How much memory the run takes.

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is what this process and its children have in memory that is theirs alone, in bytes; 0 where /proc does not tell.
func memory() (sum int64) {
	own := os.Getpid()
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range all {
		pid := filepath.Base(filepath.Dir(f))
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		field := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if pid != fmt.Sprint(own) && (len(field) < 2 || field[1] != fmt.Sprint(own)) {
			continue
		}
		s, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(s)) {
			if rest, is := strings.CutPrefix(line, "RssAnon:"); is {
				n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				sum += n << 10
			}
		}
	}
	return sum
}

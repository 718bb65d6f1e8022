package main

import (
	"fmt"

	"github.com/budayang/kiosk/platform"
)

// queueFile is the file of --queue.
type queueFile struct {
	Business []struct {
		Code   string   `toml:"code"`
		Letter string   `toml:"letter"`
		ZH     string   `toml:"zh"`
		EN     string   `toml:"en"`
		Items  []string `toml:"items"`
	} `toml:"business"`
	Window []struct {
		Site     string   `toml:"site"`
		Name     string   `toml:"name"`
		Business []string `toml:"business"`
	} `toml:"window"`
}

// readQueue reads the file. What it says is checked by the platform.
func readQueue(path string) (q platform.QueueConfig, err error) {
	var in queueFile
	if err := readTOML(path, &in); err != nil {
		return q, fmt.Errorf("queue: %w", err)
	}
	for _, b := range in.Business {
		q.Businesses = append(q.Businesses, platform.Business{Code: b.Code, Letter: b.Letter, Name: map[string]string{"zh": b.ZH, "en": b.EN}, Items: b.Items})
	}
	for _, w := range in.Window {
		q.Windows = append(q.Windows, platform.Window{Site: w.Site, Name: w.Name, Businesses: w.Business})
	}
	return q, nil
}

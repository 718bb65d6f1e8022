// Package sync holds the tests of the record's journey that need both ends: the terminal's journal and uplink, and the
// platform with its store, over a real line or in files.
package sync

// Package pages drives the platform's pages in a real browser: Debian's Chromium without a window, by playwright-core.
package pages

package sim

// What the printer and its jobs say of themselves (RFC 8011, PWG 5100.x).

import (
	"time"

	"github.com/OpenPrinting/goipp"
)

const mediaA4 = "iso_a4_210x297mm"

// A4 as collections, in hundredths of a millimetre.
var (
	mediaSize = goipp.Collection{intAttr("x-dimension", 21000), intAttr("y-dimension", 29700)}
	mediaCol  = goipp.Collection{attr("media-size", goipp.TagBeginCollection, mediaSize)}
)

func attr(name string, tag goipp.Tag, values ...goipp.Value) goipp.Attribute {
	return goipp.MakeAttr(name, tag, values[0], values[1:]...)
}

func stringsAttr(name string, tag goipp.Tag, values ...string) goipp.Attribute {
	all := make([]goipp.Value, len(values))
	for i, v := range values {
		all[i] = goipp.String(v)
	}
	return attr(name, tag, all...)
}

func keywordAttr(name string, values ...string) goipp.Attribute {
	return stringsAttr(name, goipp.TagKeyword, values...)
}

func intAttr(name string, n int) goipp.Attribute {
	return attr(name, goipp.TagInteger, goipp.Integer(n))
}
func enumAttr(name string, values ...int) goipp.Attribute {
	all := make([]goipp.Value, len(values))
	for i, v := range values {
		all[i] = goipp.Integer(v)
	}
	return attr(name, goipp.TagEnum, all...)
}
func boolAttr(name string, on bool) goipp.Attribute {
	return attr(name, goipp.TagBoolean, goipp.Boolean(on))
}
func rangeAttr(name string, low, high int) goipp.Attribute {
	return attr(name, goipp.TagRange, goipp.Range{Lower: low, Upper: high})
}

// upTime is printer-up-time: seconds, at least 1.
func (p *DocumentPrinter) upTime(at time.Time) int { return max(1, int(at.Sub(p.born)/time.Second)+1) }

// attributes are the printer's.
func (p *DocumentPrinter) attributes() goipp.Attributes {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, queued := 3, 0
	for _, j := range p.jobs {
		if !j.over() {
			queued++
		}
		if j.state == jobProcessing || j.state == jobStopped {
			state = 4
		}
	}
	reasons := p.hindrancesLocked()
	if len(reasons) > 0 {
		state = 5
	}
	if p.works != nil && p.tray > 0 && len(reasons) == 0 {
		reasons = append(reasons, "output-area-full-report")
	}
	level := 80
	if p.faults.has("toner-low") {
		level, reasons = 5, append(reasons, "toner-low-warning")
	}
	if p.faults.has("toner-empty") {
		level = 0
	}
	if len(reasons) == 0 {
		reasons = []string{"none"}
	}
	ops := make([]int, len(operations))
	for i, o := range operations {
		ops[i] = int(o)
	}
	out := goipp.Attributes{
		stringsAttr("printer-uri-supported", goipp.TagURI, p.URI()),
		keywordAttr("uri-security-supported", "none"),
		keywordAttr("uri-authentication-supported", "none"),
		stringsAttr("printer-name", goipp.TagName, "Simulated document printer"),
		stringsAttr("printer-info", goipp.TagText, "Simulated document printer"),
		stringsAttr("printer-location", goipp.TagText, ""),
		stringsAttr("printer-make-and-model", goipp.TagText, "Budayang Simulated A4"),
		stringsAttr("printer-device-id", goipp.TagText, "MFG:Budayang;MDL:Simulated A4;CMD:PDF;SN:SIM00000002;"),
		stringsAttr("printer-firmware-string-version", goipp.TagText, "1.0"),
		stringsAttr("printer-uuid", goipp.TagURI, p.uuid),
		stringsAttr("printer-more-info", goipp.TagURI, "http://"+p.addr+"/"),
		enumAttr("printer-state", state),
		keywordAttr("printer-state-reasons", reasons...),
		boolAttr("printer-is-accepting-jobs", !p.faults.has("not-accepting")),
		intAttr("queued-job-count", queued),
		intAttr("printer-up-time", p.upTime(p.opt.Now())),
		intAttr("printer-impressions-completed", p.lifetime),
		intAttr("printer-media-sheets-completed", p.lifetime),
		keywordAttr("ipp-versions-supported", "1.0", "1.1", "2.0"),
		keywordAttr("ipp-features-supported", "none"),
		enumAttr("operations-supported", ops...),
		stringsAttr("charset-configured", goipp.TagCharset, "utf-8"),
		stringsAttr("charset-supported", goipp.TagCharset, "us-ascii", "utf-8"),
		stringsAttr("natural-language-configured", goipp.TagLanguage, "en"),
		stringsAttr("generated-natural-language-supported", goipp.TagLanguage, "en"),
		stringsAttr("document-format-default", goipp.TagMimeType, "application/pdf"),
		stringsAttr("document-format-supported", goipp.TagMimeType, p.kind.formats...),
		keywordAttr("compression-supported", "none"),
		keywordAttr("pdl-override-supported", "attempted"),
		keywordAttr("which-jobs-supported", "completed", "not-completed", "all"),
		boolAttr("multiple-document-jobs-supported", false),
		intAttr("multiple-operation-time-out", int(p.opt.JobTimeout/time.Second)),
		keywordAttr("multiple-operation-time-out-action", "abort-job"),
		boolAttr("job-ids-supported", true),
		keywordAttr("job-creation-attributes-supported", "copies", "media", "sides", "print-scaling", "ipp-attribute-fidelity", "job-name"),
		boolAttr("color-supported", false),
		intAttr("pages-per-minute", p.perMinute()),
		rangeAttr("copies-supported", 1, 99),
		intAttr("copies-default", 1),
		keywordAttr("media-supported", mediaA4),
		keywordAttr("media-default", mediaA4),
		attr("media-col-default", goipp.TagBeginCollection, mediaCol),
		attr("media-col-database", goipp.TagBeginCollection, mediaCol),
		keywordAttr("media-col-supported", "media-size"),
		attr("media-size-supported", goipp.TagBeginCollection, mediaSize),
		keywordAttr("sides-supported", "one-sided"),
		keywordAttr("sides-default", "one-sided"),
		keywordAttr("print-scaling-supported", "none", "auto", "fit"),
		keywordAttr("print-scaling-default", "auto"),
		enumAttr("print-quality-supported", 4),
		enumAttr("print-quality-default", 4),
		enumAttr("orientation-requested-supported", 3, 4),
		enumAttr("orientation-requested-default", 3),
		enumAttr("finishings-supported", 3),
		enumAttr("finishings-default", 3),
		keywordAttr("output-bin-supported", "face-down"),
		keywordAttr("output-bin-default", "face-down"),
		attr("printer-resolution-supported", goipp.TagResolution, goipp.Resolution{Xres: 600, Yres: 600, Units: goipp.UnitsDpi}),
		attr("printer-resolution-default", goipp.TagResolution, goipp.Resolution{Xres: 600, Yres: 600, Units: goipp.UnitsDpi}),
		stringsAttr("marker-names", goipp.TagName, "Black toner"),
		keywordAttr("marker-types", "toner"),
		stringsAttr("marker-colors", goipp.TagName, "#000000"),
		intAttr("marker-levels", level),
	}
	if p.works != nil {
		return p.cardAttributesLocked(out)
	}
	if !p.trayEmptyLocked() {
		out.Add(keywordAttr("media-ready", mediaA4))
	} else {
		out.Add(attr("media-ready", goipp.TagNoValue, goipp.Void{}))
	}
	return out
}

// trayEmptyLocked: the tray knows that it is empty also while no job wants of it.
func (p *DocumentPrinter) trayEmptyLocked() bool {
	left, limited := p.faults.value("paper-out-mid-job")
	return p.faults.has("media-empty") || limited && p.sheets >= left && p.busyLocked()
}

func (p *DocumentPrinter) perMinute() int {
	if p.opt.PageTime <= 0 {
		return 600
	}
	return max(1, int(time.Minute/p.opt.PageTime))
}

// brief is what a job's creation answers.
func (p *DocumentPrinter) brief(j *job) goipp.Attributes {
	return goipp.Attributes{
		stringsAttr("job-uri", goipp.TagURI, p.URI()+"/"+itoa(j.id)),
		intAttr("job-id", j.id),
		enumAttr("job-state", j.state),
		keywordAttr("job-state-reasons", j.reasons...),
		stringsAttr("job-uuid", goipp.TagURI, j.uuid),
	}
}

// jobAttributes are a job's.
func (p *DocumentPrinter) jobAttributes(j *job) goipp.Attributes {
	made := j.impressions
	if short, on := p.faults.value("wrong-impressions"); on {
		made = max(0, made-short)
	}
	out := append(p.brief(j),
		stringsAttr("job-name", goipp.TagName, j.name),
		stringsAttr("job-originating-user-name", goipp.TagName, orText(j.user, "anonymous")),
		stringsAttr("job-printer-uri", goipp.TagURI, p.URI()),
		intAttr("job-printer-up-time", p.upTime(p.opt.Now())),
		stringsAttr("job-state-message", goipp.TagText, j.message),
		intAttr("number-of-documents", j.documents),
		intAttr("job-k-octets", (len(j.data)+1023)/1024),
		intAttr("copies", j.copies),
		intAttr("job-impressions-completed", made),
		intAttr("job-media-sheets-completed", made),
		intAttr("time-at-creation", p.upTime(j.created)),
		p.timeAttr("time-at-processing", j.started),
		p.timeAttr("time-at-completed", j.ended),
	)
	if j.pages > 0 {
		out.Add(intAttr("job-impressions", j.pages))
	}
	return out
}

func (p *DocumentPrinter) timeAttr(name string, at time.Time) goipp.Attribute {
	if at.IsZero() {
		return attr(name, goipp.TagNoValue, goipp.Void{})
	}
	return intAttr(name, p.upTime(at))
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

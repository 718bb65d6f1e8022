package alipay

// The bill of a day: a ZIP with two files of text in GBK, the lines (业务明细) and their sums (汇总). The lines' file begins with remarks
// ("#"), then names its columns; values end in tabs; a remark ends the list. Columns are found by their names.

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/outbound"
)

const (
	maxText  = 512 << 20 // unpacked
	maxFiles = 16
	maxLines = 2_000_000
)

func readStatement(file []byte) ([]pay.Line, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil || len(z.File) > maxFiles {
		return nil, errors.New("alipay: statement is no ZIP, or has too many files")
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, errors.New("alipay: statement cannot be unpacked")
		}
		text, err := outbound.ReadAll(simplifiedchinese.GB18030.NewDecoder().Reader(r), maxText)
		_ = r.Close()
		if err != nil {
			return nil, errors.New("alipay: statement cannot be unpacked, or is too long")
		}
		// A file's name is in GBK and not said to be: the lines' file is the one whose list says so.
		if bytes.Contains(text, []byte("业务明细列表")) {
			return readLines(text)
		}
	}
	return nil, errors.New("alipay: statement has no list of lines")
}

func readLines(text []byte) (all []pay.Line, err error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	var column map[string]int
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("alipay: statement ends before its list does")
		}
		if err != nil {
			return nil, errors.New("alipay: statement is no text with commas")
		}
		if strings.HasPrefix(row[0], "#") {
			if strings.Contains(row[0], "业务明细列表结束") && column != nil {
				return all, nil
			}
			continue
		}
		if column == nil {
			column = map[string]int{}
			for i, name := range row {
				column[strings.Trim(name, " \t")] = i
			}
			for _, name := range []string{"支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "退款批次号/请求号"} {
				if _, there := column[name]; !there {
					return nil, fmt.Errorf("alipay: statement has no column %s", name)
				}
			}
			continue
		}
		if len(row) < len(column) || len(all) >= maxLines {
			return nil, errors.New("alipay: a line of the statement is too short, or there are too many")
		}
		get := func(name string) string { return strings.Trim(row[column[name]], " \t") }
		l := pay.Line{Attempt: strings.Clone(get("商户订单号")), Transaction: strings.Clone(get("支付宝交易号"))}
		amount := get("订单金额（元）")
		switch kind := get("业务类型"); kind {
		case "交易":
		case "退款":
			l.Refund, amount = strings.Clone(get("退款批次号/请求号")), strings.TrimPrefix(amount, "-")
		default:
			return nil, fmt.Errorf("alipay: a line of the statement is %.20q", kind)
		}
		if l.At, err = time.ParseInLocation(time.DateTime, get("完成时间"), pay.China); err != nil {
			return nil, errors.New("alipay: a line of the statement has no time")
		}
		if l.Amount, err = pay.ParseYuan(amount); err != nil || l.Amount == 0 {
			return nil, errors.New("alipay: a line of the statement has no amount")
		}
		if !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || get("业务类型") == "退款" && !pay.Plain(l.Refund, 64) {
			return nil, errors.New("alipay: a line of the statement has no numbers")
		}
		all = append(all, l)
	}
}

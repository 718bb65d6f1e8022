package wechat

// The bill of a day: UTF-8 text with commas, each value after a back quote, a head line with the names of the columns, and at the
// end a head line and a line of sums. Columns are found by their names; there are more than are read.

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

const maxLines = 2_000_000

func readStatement(file []byte) (all []pay.Line, err error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\uFEFF"))))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	head, err := r.Read()
	if err != nil {
		return nil, errors.New("wechat: statement is empty or no text with commas")
	}
	column := map[string]int{}
	for i, name := range head {
		column[strings.TrimSpace(name)] = i
	}
	names := []string{"交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类", "商户退款单号", "退款状态", "订单金额", "申请退款金额"}
	for _, name := range names {
		if _, there := column[name]; !there {
			return nil, fmt.Errorf("wechat: statement has no column %s", name)
		}
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("wechat: statement ends before its sums")
		}
		if err != nil {
			return nil, errors.New("wechat: statement is no text with commas")
		}
		if len(row) > 0 && strings.TrimSpace(row[0]) == "总交易单数" {
			return sums(r, all)
		}
		if len(row) < len(head) || len(all) >= maxLines {
			return nil, errors.New("wechat: a line of the statement is too short, or there are too many")
		}
		get := func(name string) string { return strings.TrimPrefix(strings.TrimSpace(row[column[name]]), "`") }
		l := pay.Line{Attempt: get("商户订单号"), Transaction: get("微信订单号")}
		amount := "订单金额"
		switch state := get("交易状态"); state {
		case "SUCCESS":
		case "REFUND":
			if get("退款状态") != "SUCCESS" {
				continue // it is asked about until it is done
			}
			l.Refund, amount = get("商户退款单号"), "申请退款金额"
		case "REVOKED":
			continue
		default:
			return nil, fmt.Errorf("wechat: a line of the statement is %.20q", state)
		}
		if l.At, err = time.ParseInLocation(time.DateTime, get("交易时间"), pay.China); err != nil {
			return nil, errors.New("wechat: a line of the statement has no time")
		}
		if l.Amount, err = pay.ParseYuan(get(amount)); err != nil || l.Amount == 0 || get("货币种类") != "CNY" {
			return nil, errors.New("wechat: a line of the statement has no amount in yuan")
		}
		if !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || amount != "订单金额" && l.Refund == "" {
			return nil, errors.New("wechat: a line of the statement has no numbers")
		}
		all = append(all, clone(l))
	}
}

// sums reads the last line: a file that was cut off has none.
func sums(r *csv.Reader, all []pay.Line) ([]pay.Line, error) {
	row, err := r.Read()
	if err != nil || len(row) == 0 {
		return nil, errors.New("wechat: statement ends before its sums")
	}
	if row, err = r.Read(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("wechat: statement goes on after its sums: %d fields", len(row))
	}
	return all, nil
}

// clone lets the file go: a value of it would keep it in memory.
func clone(l pay.Line) pay.Line {
	l.Refund, l.Attempt, l.Transaction = strings.Clone(l.Refund), strings.Clone(l.Attempt), strings.Clone(l.Transaction)
	return l
}

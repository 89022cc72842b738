package main

import (
	"fmt"
	"os"
	"strings"
)

// What a figure is to be: so much itself, or so many times another.
type budget struct {
	metric    string
	test, row string
	most      bool    // at most, else at least
	limit     float64 // of the value, or of the ratio
	unit      string  // of a value
	to        string  // "floor" or "bare"; empty for the value itself
	toTest    string  // where the base is another row: its test
	toRow     string  // and name
}

var budgets = []budget{
	{metric: "exec → first 204 of `/health`", test: "startup", row: "exec → first 204 of /health", most: true, limit: 3.6, to: "floor"},
	{metric: "first Start after that → pid", test: "startup", row: "first Start → pid", most: true, unit: "ms", limit: 40},
	{metric: "resident memory, idle", test: "startup", row: "resident, idle", most: true, limit: 1.8, to: "floor"},
	{metric: "resident memory after 1,000 requests", test: "startup", row: "resident after 1,000 requests", most: true, limit: 2, to: "floor"},
	{metric: "request → pid, p50", test: "start", row: "Connect JSON: → pid p50", most: true, limit: .7, to: "bare"},
	{metric: "request → end of `/bin/true`, p50", test: "start", row: "Connect JSON: → end p50", most: true, limit: .95, to: "bare"},
	{metric: "request → end of `/bin/true`, p99", test: "start", row: "Connect JSON: → end p99", most: true, limit: .7, to: "bare"},
	{metric: "starts per second, 64 in flight", test: "start", row: "Connect JSON: at 64 in flight", limit: .95, to: "bare"},
	{metric: "CPU per start", test: "start", row: "Connect JSON: CPU per start", most: true, limit: .75, to: "bare"},
	{metric: "JSON stream, rate", test: "stream", row: "Connect JSON: rate", limit: 1.6, to: "bare"},
	{metric: "JSON stream, CPU", test: "stream", row: "Connect JSON: CPU", most: true, limit: .75, to: "bare"},
	{metric: "binary stream, rate", test: "stream", row: "Connect binary: rate", limit: 1.3, to: "bare"},
	{metric: "binary stream, CPU", test: "stream", row: "Connect binary: CPU", most: true, limit: .95, to: "bare"},
	{metric: "eight clients, rate, to the binary stream", test: "fanout", row: "Connect binary: rate", limit: 1.43, to: "bare", toTest: "stream", toRow: "Connect binary: rate"},
	{metric: "eight clients, CPU delivered, to the binary stream", test: "fanout", row: "Connect binary: CPU", most: true, limit: .68, to: "bare", toTest: "stream", toRow: "Connect binary: CPU"},
	{metric: "a build log, lines", test: "lines", row: "lines", limit: 1.2, to: "bare"},
	{metric: "a build log, CPU per line", test: "lines", row: "CPU per million lines", most: true, limit: .8, to: "bare"},
	{metric: "1,000 sleeping commands, threads more", test: "sleepers", row: "threads more", most: true, limit: 2},
	{metric: "1,000 sleeping commands, memory each", test: "sleepers", row: "resident, each", most: true, unit: "KiB", limit: 12},
	{metric: "1,000 sleeping commands, CPU", test: "sleepers", row: "CPU while all sleep", most: true, unit: "%", limit: 1},
	{metric: "200 chatting commands, CPU per line", test: "chatter", row: "CPU per line", most: true, limit: 1.4, to: "bare"},
	{metric: "200 chatting commands, delay p99", test: "chatter", row: "delay p99", most: true, unit: "ms", limit: 10},
	{metric: "Stat, p50", test: "files", row: "Stat: p50", most: true, limit: 1, to: "bare"},
	{metric: "read of a small file, p50", test: "files", row: "read of a small file: p50", most: true, limit: 1, to: "bare"},
	{metric: "write of a small file, p50", test: "files", row: "write of a small file: p50", most: true, limit: 1.2, to: "bare"},
	{metric: "ListDir of 2,000 entries, p50", test: "files", row: "ListDir of 2,000 entries: p50", most: true, limit: 1.5, to: "bare"},
	{metric: "download of 512 MiB, CPU", test: "files", row: "download of 512 MiB: CPU", most: true, limit: .6, to: "bare"},
	{metric: "upload of 512 MiB, rate", test: "files", row: "upload of 512 MiB: rate", limit: 1, to: "bare"},
	{metric: "image, unpacked", test: "image", row: "unpacked", most: true, unit: "MB", limit: 90},
	{metric: "image, tar.gz", test: "image", row: "tar.gz", most: true, unit: "MB", limit: 40},
}

// The measured value or ratio; not ok where something was not measured.
func (r *report) measured(b budget) (v float64, ok bool) {
	w := r.byRow[b.test+"/"+b.row]
	if w == nil {
		return 0, false
	}
	v, ok = w.Values[r.last()]
	if !ok || b.to == "" {
		return v, ok
	}
	base := w
	if b.toTest != "" {
		base = r.byRow[b.toTest+"/"+b.toRow]
	}
	if base == nil || base.Values[b.to] == 0 {
		return 0, false
	}
	return v / base.Values[b.to], true
}

// Rows of the budgets; the reasons for misses are a person's and stay, by their metric.
func (r *report) budgetTable(old string) string {
	reasons := map[string]string{}
	for line := range strings.Lines(old) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) == 6 {
			reasons[strings.TrimSpace(cells[0])] = strings.TrimSpace(cells[5])
		}
	}
	var out strings.Builder
	out.WriteString("| Metric | Target | Measured | Floor | `-Dbench.tests=` | Why it misses |\n|---|---|---|---|---|---|\n")
	for _, b := range budgets {
		sign, suffix, to := "≥", "×", b.to
		if b.most {
			sign = "≤"
		}
		w := r.byRow[b.test+"/"+b.row]
		if w == nil {
			w = &row{Unit: b.unit}
		}
		if to == "floor" {
			to = "a JDK-only server"
		}
		if b.to == "" {
			suffix = strings.TrimRight(" "+b.unit, " ")
		}
		measured, floor := "–", "–"
		v, ok := r.measured(b)
		if ok {
			measured = number(v) + suffix
			if b.to != "" {
				measured += fmt.Sprintf(" (%s %s)", number(w.Values[r.last()]), w.Unit)
			}
			if b.most && v > b.limit || !b.most && v < b.limit {
				measured = "**" + measured + "**"
			}
		}
		if v, ok := w.Values["floor"]; ok {
			floor = strings.TrimSpace(number(v) + " " + w.Unit)
		}
		limit := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", b.limit), "0"), ".")
		tests := b.test
		if b.toTest != "" {
			tests = b.toTest + "," + tests
		}
		if b.test == "image" {
			tests = "any"
		}
		reason := reasons[b.metric]
		if ok && !strings.HasPrefix(measured, "**") {
			reason = ""
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | `%s` | %s |\n", b.metric, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", sign, limit, suffix, to)), measured, floor, tests, reason)
	}
	return out.String()
}

// Bars of text, which every forge shows: ratios to the bare server, one in the middle.
func (r *report) chart() string {
	var out strings.Builder
	out.WriteString("```text\n")
	for _, most := range []bool{true, false} {
		title := "more is better"
		if most {
			title = "less is better"
		}
		fmt.Fprintf(&out, "%-52s 0         ½         1         1½        2\n", "bare server = 1, "+title)
		for _, b := range budgets {
			v, ok := r.measured(b)
			if !ok || b.to != "bare" || b.most != most {
				continue
			}
			width, more := int(v*20+.5), ""
			if width > 44 {
				width, more = 44, "▸"
			}
			fmt.Fprintf(&out, "%-52s %s%s %.2f\n", strings.ReplaceAll(b.metric, "`", ""), strings.Repeat("█", width), more, v)
		}
	}
	out.WriteString("```\n")
	return out.String()
}

func (r *report) tables() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, medians of %d rounds, %s.\n", r.Machine, r.Rounds, r.Date)
	for _, t := range r.testNames {
		fmt.Fprintf(&out, "\n**%s** (`%s`)\n\n", t.title, t.name)
		header := r.header()
		fmt.Fprintf(&out, "| %s |\n|---|---|%s\n", strings.Join(header, " | "), strings.Repeat("---:|", len(header)-2))
		for _, w := range r.Rows {
			if w.Test == t.name {
				fmt.Fprintf(&out, "| %s |\n", strings.Join(r.cells(w), " | "))
			}
		}
	}
	return out.String()
}

// Writes each part of the page between its markers.
func rewrite(page string, r *report) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(b)
	for part, write := range map[string]func(string) string{
		"budgets": r.budgetTable,
		"chart":   func(string) string { return r.chart() },
		"tables":  func(string) string { return r.tables() },
	} {
		open, end := "<!-- "+part+": written by the benchmarks -->\n", "<!-- end of "+part+" -->"
		head, rest, ok := strings.Cut(text, open)
		old, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			return fmt.Errorf("%s has no %q", page, open)
		}
		text = head + open + write(old) + end + tail
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

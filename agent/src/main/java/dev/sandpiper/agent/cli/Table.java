package dev.sandpiper.agent.cli;

import java.util.ArrayList;
import java.util.List;

/// Columns of text, each as wide as its widest cell, the last one as it comes.
final class Table {
  private final List<String[]> rows = new ArrayList<>();

  Table row(String... cells) {
    rows.add(cells);
    return this;
  }

  List<String> lines() {
    var widths = new int[rows.isEmpty() ? 0 : rows.getFirst().length];
    for (var row : rows) {
      for (var i = 0; i < row.length - 1; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    return rows.stream().map(row -> line(row, widths)).toList();
  }

  private static String line(String[] row, int[] widths) {
    var line = new StringBuilder();
    for (var i = 0; i < row.length; i++) {
      line.append(row[i]);
      if (i < row.length - 1) {
        line.repeat(" ", widths[i] - row[i].length() + 2);
      }
    }
    return line.toString().stripTrailing();
  }
}

import WeirCore

/// Series over time, drawn with the dots of braille letters: two columns and four rows a letter.
struct TerminalChart {
    /// A line of the chart.
    struct Line {
        var name: String
        var points: [(time: Double, value: Double)]
    }

    private static let colors = [36, 33, 32, 35, 34, 31]
    /// The bits of a letter's dots, by row and column (Unicode, "Braille Patterns").
    private static let dots: [[UInt32]] = [
        [0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80],
    ]

    /// Letters across and down.
    var width = 72
    var height = 12
    /// Whether lines are told apart by colours.
    var hasColors = false

    /// The chart's lines of text, with a legend; numbers that are none leave gaps.
    func text(_ lines: [Line]) -> [String] {
        let drawn = lines.map { line in
            Line(name: line.name, points: line.points.filter { $0.value.isFinite })
        }
        let points = drawn.flatMap(\.points)
        guard let first = points.map(\.time).min(), let last = points.map(\.time).max(),
            let least = points.map(\.value).min(), let most = points.map(\.value).max()
        else { return ["nothing to draw"] }
        var cells = [UInt32](repeating: 0, count: width * height)
        var owners = [Int](repeating: 0, count: width * height)
        for (number, line) in drawn.enumerated() {
            var former: (column: Int, row: Int)?
            for point in line.points {
                let column = place(point.time, first, last, width * 2)
                let row = height * 4 - 1 - place(point.value, least, most, height * 4)
                for dot in Self.between(former, (column, row)) {
                    let cell = dot.row / 4 * width + dot.column / 2
                    cells[cell] |= Self.dots[dot.row % 4][dot.column % 2]
                    owners[cell] = number
                }
                former = (column, row)
            }
        }
        return frame(cells, owners, least, most) + timeAxis(first, last) + legend(drawn)
    }

    /// Where a number lies among so many places.
    private func place(_ value: Double, _ least: Double, _ most: Double, _ count: Int) -> Int {
        let span = most - least
        guard span > 0, span.isFinite else { return count / 2 }
        return min(max(Int((value - least) / span * Double(count - 1) + 0.5), 0), count - 1)
    }

    /// The dots from one point to the next that follows closely.
    private static func between(
        _ former: (column: Int, row: Int)?, _ next: (column: Int, row: Int)
    ) -> [(column: Int, row: Int)] {
        guard let former, next.column - former.column <= 12 else { return [next] }
        let count = max(abs(next.column - former.column), abs(next.row - former.row), 1)
        return (1...count).map { step in
            (
                former.column + (next.column - former.column) * step / count,
                former.row + (next.row - former.row) * step / count
            )
        }
    }

    // MARK: Text

    private func frame(
        _ cells: [UInt32], _ owners: [Int], _ least: Double, _ most: Double
    ) -> [String] {
        let labels = [Self.short(most), Self.short((least + most) / 2), Self.short(least)]
        let margin = labels.map(\.count).max() ?? 0
        return (0..<height).map { row in
            let label =
                row == 0
                ? labels[0] : row == height / 2 ? labels[1] : row == height - 1 ? labels[2] : ""
            var text = String(repeating: " ", count: margin - label.count) + label
            text += label.isEmpty ? " │" : " ┤"
            for column in 0..<width {
                let cell = row * width + column
                let letter =
                    cells[cell] == 0
                    ? " " : UnicodeScalar(0x2800 + cells[cell]).map { String($0) } ?? " "
                text += colored(letter, cells[cell] == 0 ? nil : owners[cell])
            }
            while text.hasSuffix(" ") { text.removeLast() }
            return text
        }
    }

    private func colored(_ text: String, _ number: Int?) -> String {
        guard hasColors, let number else { return text }
        return "\u{1b}[\(Self.colors[number % Self.colors.count])m\(text)\u{1b}[0m"
    }

    private func timeAxis(_ first: Double, _ last: Double) -> [String] {
        let times = [first, last].map { seconds in
            Timestamp(seconds: Int64(max(min(seconds, 9e12), -9e12)))
        }
        let texts = times.map {
            TimeFormat.text(of: $0, format: "%Y-%m-%dT%H:%M:%SZ", zone: .utc)
        }
        let gap = max(width - texts[0].count - texts[1].count, 1)
        return [texts[0] + String(repeating: " ", count: gap + 2) + texts[1]]
    }

    private func legend(_ lines: [Line]) -> [String] {
        lines.enumerated().map { number, line in
            let values = line.points.map(\.value)
            guard let last = values.last, let least = values.min(), let most = values.max() else {
                return "  \(line.name)  no number"
            }
            return colored("━", number)
                + " \(line.name)  last \(Self.short(last)), least \(Self.short(least)), most \(Self.short(most))"
        }
    }

    /// A number in few digits.
    static func short(_ value: Double) -> String {
        let units: [(size: Double, name: String)] = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        for unit in units where abs(value) >= unit.size * 10 {
            return rounded(value / unit.size) + unit.name
        }
        return rounded(value)
    }

    private static func rounded(_ value: Double) -> String {
        guard abs(value) < 1e15, value == 0 || abs(value) >= 1e-3 else { return "\(value)" }
        let scaled = (value * 1_000).rounded() / 1_000
        return scaled == scaled.rounded() ? "\(Int(scaled))" : "\(scaled)"
    }
}

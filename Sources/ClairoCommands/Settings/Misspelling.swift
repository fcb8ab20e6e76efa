/// Finds environment variables whose names are almost those of settings, such as `CLAIRO_DATABSE`. A setting that is
/// ignored because of its name shows only later, as data in the wrong place.
///
/// Other variables with the prefix are not reported: Kubernetes and tools set them too.
enum Misspelling {
    private static let names = Settings.Key.allCases.map(\.environmentName) + ["CLAIRO_HOME", "CLAIRO_CONFIG"]
    /// The largest number of letters that are missing, surplus, wrong or exchanged with the next one.
    private static let mostErrors = 2

    /// - Returns: The variables in alphabetical order, each with the most similar setting.
    static func find(in variables: some Sequence<String>) -> [(name: String, setting: String)] {
        variables.filter { $0.hasPrefix("CLAIRO") && !names.contains($0) }.sorted().compactMap { name in
            let similar = names.map { (setting: $0, errors: distance(name, $0)) }.min { $0.errors < $1.errors }
            guard let similar, similar.errors <= mostErrors else { return nil }
            return (name, similar.setting)
        }
    }

    /// The restricted Damerau-Levenshtein distance.
    static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        var rows = [Array(0...other.count)]
        for (i, letter) in one.enumerated() {
            var row = [i + 1]
            for (j, match) in other.enumerated() {
                var cost = min(rows[i][j] + (letter == match ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, letter == other[j - 1], one[i - 1] == match {
                    cost = min(cost, rows[i - 1][j - 1] + 1)
                }
                row.append(cost)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}

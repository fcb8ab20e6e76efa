internal import ClairoCore
internal import Synchronization

/// Counts the rows of large tables without a long statement.
///
/// A count over an index takes a second for five million rows. So rows are counted in slices: ranges of an index with
/// about `sliceRows` rows each. Rows that were added since the last call extend the last slice and begin new ones. Of
/// the older slices, each call counts some again, in turn. With up to that number of slices, all are counted each time
/// and the sum is exact; with more, changes of older rows appear after a few calls. Nothing is stored, so no
/// transaction pays for the counts, and no count can go wrong for good.
final class RowCounts: Sendable {
    /// Rows that are adjacent in an index, in the order of `key`.
    struct Series: Sendable, Hashable {
        var table: String
        var index: String
        /// The condition on the columns before `key` in the index, with a `?` for each argument.
        var condition: String
        var arguments: [SQLValue]
        var key: String
    }

    private struct Slice: Sendable {
        var last: SQLValue
        var count: Int
    }

    private struct Progress: Sendable {
        /// Without the last one, which has no end.
        var slices: [Slice] = []
        /// The next slice to count again.
        var turn = 0
    }

    private let progress = Mutex<[Series: Progress]>([:])

    private let sliceRows: Int
    /// The number of older slices that a call counts again.
    private let recounts: Int
    /// The number of new slices that a call counts.
    private let slicesAtOnce: Int

    init(sliceRows: Int = 5000, recounts: Int = 20, slicesAtOnce: Int = 64) {
        self.sliceRows = sliceRows
        self.slicesAtOnce = slicesAtOnce
        self.recounts = recounts
    }

    /// - Returns: Nil if there are more rows than one call counts. Call again, after other work had the connection.
    func count(_ series: Series, _ connection: any SQLConnection) throws -> Int? {
        var known = progress.withLock { $0[series] ?? Progress() }
        try recount(&known, of: series, connection)
        let open = try extend(&known, of: series, connection)
        let result = known
        progress.withLock { $0[series] = result }
        return open.map { known.slices.reduce($0) { $0 + $1.count } }
    }

    private func recount(_ known: inout Progress, of series: Series, _ connection: any SQLConnection) throws {
        for _ in 0..<min(recounts, known.slices.count) where !known.slices.isEmpty {
            known.turn %= known.slices.count
            let after = known.turn > 0 ? known.slices[known.turn - 1].last : nil
            let last = known.slices[known.turn].last
            let count = try series.count(after: after, through: last, upTo: sliceRows * 2, connection)
            if count == 0 {
                // The rows that appear there later belong to the next slice.
                known.slices.remove(at: known.turn)
                continue
            }
            known.slices[known.turn].count = count
            if count == sliceRows * 2, let middle = try series.key(number: sliceRows, after: after, connection),
                middle != last
            {
                let first = try series.count(after: after, through: middle, upTo: nil, connection)
                known.slices.insert(Slice(last: middle, count: first), at: known.turn)
            }
            known.turn += 1
        }
    }

    /// Counts the rows after the last slice.
    /// - Returns: The number of rows after the slices, or nil if there may be more slices.
    private func extend(
        _ known: inout Progress, of series: Series, _ connection: any SQLConnection
    ) throws -> Int? {
        for _ in 0..<slicesAtOnce {
            let after = known.slices.last?.last
            let count = try series.count(after: after, through: nil, upTo: sliceRows, connection)
            guard count == sliceRows, let last = try series.key(number: sliceRows, after: after, connection) else {
                return count
            }
            // Rows with the same key as the last one belong to the slice, too.
            known.slices.append(
                Slice(last: last, count: try series.count(after: after, through: last, upTo: nil, connection)))
        }
        return nil
    }
}

extension RowCounts.Series {
    /// The number of rows between two keys.
    /// - Parameter limit: The largest number to count to.
    fileprivate func count(
        after: SQLValue?, through last: SQLValue?, upTo limit: Int?, _ connection: any SQLConnection
    ) throws -> Int {
        let (clause, arguments) = range(after: after, through: last)
        var sql = "FROM \(table) \(connection.dialect.using(index)) WHERE \(clause)"
        if let limit { sql = "FROM (SELECT \(key) \(sql) LIMIT \(limit)) AS slice" }
        return try connection.row("SELECT COUNT(*) AS count \(sql)", arguments)?.int("count") ?? 0
    }

    /// The key of the row with this number, counted from 1.
    fileprivate func key(number: Int, after: SQLValue?, _ connection: any SQLConnection) throws -> SQLValue? {
        let (clause, arguments) = range(after: after, through: nil)
        return try connection.row(
            """
            SELECT \(key) AS last FROM \(table) \(connection.dialect.using(index)) WHERE \(clause)
            ORDER BY \(key) LIMIT 1 OFFSET \(number - 1)
            """, arguments
        ).map { try $0["last"] }
    }

    private func range(after: SQLValue?, through last: SQLValue?) -> (String, [SQLValue]) {
        var clause = condition
        var arguments = arguments
        if let after {
            clause += " AND \(key) > ?"
            arguments.append(after)
        }
        if let last {
            clause += " AND \(key) <= ?"
            arguments.append(last)
        }
        return (clause, arguments)
    }
}

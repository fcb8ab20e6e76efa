import ClairoTestSupport
import Testing

@testable import ClairoMetadata

/// Counting in slices.
@Suite struct RowCountsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private let counts = RowCounts(sliceRows: 10, recounts: 3, slicesAtOnce: 16)
    private let series = RowCounts.Series(
        table: "rows", index: "rows_by_kind", condition: "kind = ?", arguments: [SQLValue("a")], key: "number")

    private func withTable(_ body: (any SQLDriver) async throws -> Void) async throws {
        let driver = try await SQLiteDriver.open(path: scratch.path("clairo.db"), updatesSchema: true)
        try await driver.write { connection in
            try connection.execute("CREATE TABLE rows (kind TEXT, number INTEGER)", [])
            try connection.execute("CREATE INDEX rows_by_kind ON rows (kind, number)", [])
        }
        try await body(driver)
        await driver.close()
    }

    private func insert(
        _ numbers: some Sequence<Int>, kind: String = "a", in driver: any SQLDriver
    ) async throws {
        let numbers = Array(numbers)
        try await driver.write { connection in
            _ = try connection.insert(
                into: "rows", numbers.map { ["kind": SQLValue(kind), "number": SQLValue($0)] as SQLColumns })
        }
    }

    private func count(_ driver: any SQLDriver) async throws -> Int {
        while true {
            if let count = try await driver.read({ [counts, series] in try counts.count(series, $0) }) { return count }
        }
    }

    @Test(arguments: [0, 9, 10, 11, 30, 500]) func rowsOfTheSeriesAreCounted(number: Int) async throws {
        try await withTable { driver in
            try await insert(0..<number, in: driver)
            try await insert(0..<50, kind: "b", in: driver)
            #expect(try await count(driver) == number)
            try await insert([number, number + 1], in: driver)
            #expect(try await count(driver) == number + 2, "new rows are counted at once")
        }
    }

    @Test func aLargeTableIsCountedInSeveralCalls() async throws {
        try await withTable { driver in
            try await insert(0..<500, in: driver)
            let first = try await driver.read { [counts, series] in try counts.count(series, $0) }
            #expect(first == nil)
            #expect(try await count(driver) == 500)
        }
    }

    @Test func equalKeysAreCountedOnce() async throws {
        try await withTable { driver in
            try await insert((0..<100).map { $0 / 7 }, in: driver)
            #expect(try await count(driver) == 100)
        }
    }

    @Test func changesOfOldRowsAppearAfterAFewCalls() async throws {
        try await withTable { driver in
            try await insert((0..<300).map { $0 * 100 }, in: driver)
            #expect(try await count(driver) == 300)
            _ = try await driver.write { connection in
                try connection.execute("DELETE FROM rows WHERE number < 9950", [])
            }
            // Many more rows than a slice has, among old ones.
            try await insert(20_001..<20_099, in: driver)
            var sum = 0
            for _ in 0..<30 { sum = try await count(driver) }
            #expect(sum == 200 + 98)
        }
    }
}

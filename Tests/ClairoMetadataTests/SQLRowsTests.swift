import Testing

@testable import ClairoMetadata

/// Statements about several rows.
@Suite struct SQLRowsTests {
    private func row(_ number: Int, bytes: Int = 1) -> SQLColumns {
        ["number": SQLValue(number), "text": SQLValue(String(repeating: "x", count: bytes))]
    }

    @Test(arguments: [
        (0, []), (1, [1]), (8, [8]), (9, [8, 1]), (20, [16, 4]), (128, [128]), (300, [128, 128, 32, 8, 4]),
    ])
    func rowsAreInsertedByStatementsOfAFewSizes(count: Int, sizes: [Int]) {
        #expect(SQLRows.groups((0..<count).map { row($0) }).map(\.count) == sizes)
    }

    @Test func aStatementHasAtMostAMegabyteOfValuesOrOneRow() {
        let sizes = [400_000, 400_000, 400_000, 3_000_000, 1]
        let groups = SQLRows.groups(sizes.enumerated().map { row($0, bytes: $1) })
        #expect(groups.map(\.count) == [2, 1, 1, 1])
        #expect(groups.flatMap { $0.map { $0[0].value } } == (0..<5).map { SQLValue($0) })
    }

    @Test func aListIsPaddedToAPowerOfTwo() {
        let list = SQLRows.list((1...5).map { SQLValue($0) })
        #expect(list.places == "?, ?, ?, ?, ?, ?, ?, ?")
        #expect(list.values == [1, 2, 3, 4, 5, 5, 5, 5].map { SQLValue($0) })
        #expect(SQLRows.list([]).places == "NULL" && SQLRows.list([]).values.isEmpty)
    }
}

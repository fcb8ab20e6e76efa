import ClairoCore
import Foundation
import MariaDB
import SQLite
import Testing

@testable import ClairoMetadata

/// The kinds of databases' errors decide whether a daemon waits or a job fails.
@Suite struct DatabaseFailureTests {
    private func mysql(_ code: UInt32) -> ClairoError {
        MySQLFailure.clairoError(MariaDBError(code: code, sqlState: "HY000", message: "words"), name: "db/clairo")
    }

    private func sqlite(_ code: Int32) -> ClairoError {
        SQLiteFailure.clairoError(SQLiteError(code: code, message: "words"), path: "/data/clairo.db")
    }

    @Test(arguments: [
        1290, 1792, 1836,  // read-only
        1044, 1045, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 3118, 4151, 1129, 1130,
    ])
    func mysqlRefusesWhatAnOperatorHasToAllow(_ code: UInt32) {
        let error = mysql(code)
        #expect(error.kind == .refused && error.exitCode == .noPermission && error.advice != nil)
        #expect(error.message.contains("db/clairo") && error.message.contains("words"))
    }

    @Test(arguments: [1049, 1054, 1146, 1176, 1251, 2026, 2058, 2059, 2061])
    func mysqlRefusesWhatAnOperatorHasToConfigure(_ code: UInt32) {
        let error = mysql(code)
        #expect(error.kind == .refused && error.exitCode == .configuration && error.advice != nil)
    }

    @Test(arguments: [1021, 1114, 1037, 1038, 1041]) func mysqlHasNoRoom(_ code: UInt32) {
        #expect(mysql(code).kind == .capacity)
    }

    @Test(arguments: [1040, 1047, 1053, 1203, 1205, 1213, 1226, 2002, 2003, 2006, 2013, 3, 1026, 1030])
    func mysqlIsAwayOrBusy(_ code: UInt32) { #expect(mysql(code).kind == .transient) }

    @Test(arguments: [1064, 1062, 1406]) func anythingElseIsADefect(_ code: UInt32) {
        #expect(mysql(code).kind == .defect)
    }

    /// Result codes of https://www.sqlite.org/rescode.html.
    @Test(arguments: [
        (Int32(5), ClairoError.Kind.transient, 75), (6, .transient, 75), (8, .refused, 77), (1032, .refused, 77),
        (3, .refused, 77), (13, .capacity, 74), (7, .capacity, 75), (10, .transient, 74), (4874, .transient, 74),
        (11, .refused, 74), (14, .refused, 73), (26, .refused, 78), (1, .defect, 70), (19, .defect, 70),
    ])
    func sqliteErrorsHaveTheKindOfTheirCause(_ code: Int32, _ kind: ClairoError.Kind, _ exit: Int) {
        let error = sqlite(code)
        #expect(error.kind == kind && error.exitCode.rawValue == Int32(exit), "\(error)")
    }

    /// `clairo serve-metrics` may be the first to open a file.
    @Test func anSQLiteFileWithoutTablesIsNotADefect() {
        let error = SQLiteFailure.clairoError(
            SQLiteError(code: 1, message: "no such table: videos"), path: "/data/clairo.db")
        #expect(error.kind == .refused && error.exitCode == .configuration && error.advice == "Run clairo migrate.")
    }

    @Test(arguments: [
        (EACCES, ClairoError.Kind.refused, 77), (EROFS, .refused, 77), (ENOSPC, .capacity, 74), (EDQUOT, .capacity, 74),
        (EISDIR, .usage, 73),
    ])
    func aFileThatCannotBeOpenedHasTheKindOfItsCause(_ code: Int32, _ kind: ClairoError.Kind, _ exit: Int) {
        let error = SQLiteFailure.cannotOpen("/data/clairo.db", errno: code)
        #expect(error.kind == kind && error.exitCode.rawValue == Int32(exit), "\(error)")
    }
}

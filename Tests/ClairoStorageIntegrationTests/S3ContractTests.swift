import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// The contract of object stores, on real S3 servers.
@Suite(.ownThreads) struct S3ContractTests {
    @Test(
        .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed"), arguments: promises(without: rcloneGaps)
    )
    func s3OnRcloneKeepsEveryPromise(promise: ObjectStoreContract.Promise) async throws {
        try promise.check(try await emptyS3Store(on: .rclone))
    }

    @Test(
        .enabled(if: S3Server.isInstalled(.moto), "moto_server is not installed"),
        arguments: promises(without: motoGaps))
    func s3OnMotoKeepsEveryPromise(promise: ObjectStoreContract.Promise) async throws {
        try promise.check(try await emptyS3Store(on: .moto))
    }

    // What the servers do otherwise than S3, seen with rclone 1.75.2 and moto 5.2.1. Each keeps what the other does not.

    /// rclone's buckets are folders: deleting `x/below` deletes the object `x`, and deleting a folder's name is an internal
    /// error. It sends parts on as they come, so a part cannot be replaced by other bytes (501), and a refused completion
    /// ends the upload. It also ignores If-Match, If-None-Match and the checksum headers, and gives objects that were sent in
    /// parts an ETag that is not S3's.
    private static let rcloneGaps = [
        ObjectStoreContract.below, ObjectStoreContract.firstPart, ObjectStoreContract.replacedPart,
        ObjectStoreContract.wrongParts,
    ]

    /// moto fails with status 500 on a part of an upload that it does not know. It checks neither signatures nor the hash of
    /// the body.
    private static let motoGaps = [ObjectStoreContract.lateParts]

    private static func promises(without gaps: [ObjectStoreContract.Promise]) -> [ObjectStoreContract.Promise] {
        ObjectStoreContract.promises.filter { promise in
            !gaps.contains { $0.testDescription == promise.testDescription }
        }
    }
}

/// A store in a bucket of its own, below a prefix.
func emptyS3Store(on kind: S3Server.Kind) async throws -> S3Store {
    let server = try await S3Server.shared(kind)
    let bucket = try await server.makeBucket()
    return try S3Store(url: "s3://\(bucket)/pre fix/é", environment: server.environment, options: .quick)
}

extension S3Options {
    /// Repeats without waiting.
    static var quick: S3Options {
        var options = S3Options()
        options.sleep = { _ in }
        // A server that is slow because the machine is busy is not to be asked twice.
        (options.stallTimeout, options.connectTimeout) = (1200, 300)
        return options
    }
}

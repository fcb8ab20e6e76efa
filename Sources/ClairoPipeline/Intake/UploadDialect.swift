public import ClairoCore
public import Foundation

/// A parsed message of the uploads topic.
public enum UploadNotice: Sendable, Hashable {
    /// Clairo's own message: the video is registered.
    case video(UploadMessage)
    /// Objects that reached a bucket without Clairo.
    case objects(ObjectNotices)
}

/// Parses all kinds of messages about uploads:
/// - Clairo's own `UploadMessage`;
/// - S3 event notifications, version 2.x, also wrapped by SNS and SQS;
/// - S3's events through Amazon EventBridge, likewise;
/// - MinIO's Kafka events: the same records in an envelope with `EventName` and `Key`.
///
/// Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
/// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html,
/// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html,
/// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, `internal/event` in https://github.com/minio/minio.
public enum UploadDialect {
    /// The maximum size of a document in bytes: the default limit of Kafka brokers.
    public static let largestDocument = 1 << 20
    /// The maximum number of records in a document.
    public static let mostRecords = 10_000

    /// - Parameter limit: The maximum size of the document in bytes.
    /// - Throws: `badInput` (65) for an unknown document; `defect` (78) for a message of a newer version of Clairo.
    public static func read(_ document: Data, limit: Int = largestDocument) throws(ClairoError) -> UploadNotice {
        guard !document.isEmpty else { throw refused("The message is empty") }
        guard document.count <= limit else {
            throw refused("The message has \(document.count) bytes, more than \(limit)")
        }
        let envelope = try envelope(document)
        if envelope.isOwn, let schema = envelope.schema { return .video(try own(document, schema: schema)) }
        var notices = ObjectNotices()
        try read(envelope, into: &notices)
        return .objects(notices)
    }

    /// Whether the document is Clairo's own message, which needs no bucket. False for an unknown document.
    static func isOwn(_ document: Data) -> Bool {
        guard document.count <= largestDocument, let envelope = try? envelope(document) else { return false }
        return envelope.isOwn
    }

    private static func refused(_ message: String) -> ClairoError {
        .badMedia(
            message,
            advice: "Expected Clairo's own upload message, or an event from S3 (version 2.x), EventBridge or MinIO.")
    }

    private static func own(_ document: Data, schema: Int) throws(ClairoError) -> UploadMessage {
        guard schema <= UploadMessage.currentSchema else {
            throw ClairoError(
                kind: .defect, exitCode: .configuration,
                "The message has schema \(schema), but this program knows \(UploadMessage.currentSchema)",
                advice: "Run the same version of clairo on all machines.")
        }
        do {
            return try JSONDecoder().decode(UploadMessage.self, from: document)
        } catch {
            throw refused("The message claims to be Clairo's own, but \(S3EventDocument.reason(error))")
        }
    }

    private static func envelope(_ document: Data) throws(ClairoError) -> S3EventDocument {
        do {
            return try JSONDecoder().decode(S3EventDocument.self, from: document)
        } catch {
            throw refused("The message is not a JSON object")
        }
    }

    /// - Parameter wrappers: The number of envelopes around this document.
    private static func read(_ document: S3EventDocument, into notices: inout ObjectNotices, wrappers: Int = 0)
        throws(ClairoError)
    {
        // The deepest nesting is an S3 event in an SNS notification in an SQS record.
        guard wrappers <= 2 else { throw refused("The message is nested too deeply") }
        if let message = document.snsMessage {
            return try read(try envelope(Data(message.utf8)), into: &notices, wrappers: wrappers + 1)
        }
        if document.testEvent == "s3:TestEvent" {
            notices.ignored += 1
            return
        }
        if let bridge = document.bridge { return try read(bridge, into: &notices) }
        guard let records = document.records else { throw refused("The message is JSON, but not an event") }
        guard records.count <= mostRecords else {
            throw refused("The message has \(records.count) records, more than \(mostRecords)")
        }
        for (index, record) in records.enumerated() {
            do {
                let record = try record.result.get()
                if let message = record.wrapped {
                    try read(try envelope(Data(message.utf8)), into: &notices, wrappers: wrappers + 1)
                } else if let notice = try notice(record) {
                    notices.add(notice)
                } else {
                    notices.ignored += 1
                }
            } catch {
                let reason = (error as? ClairoError)?.message ?? S3EventDocument.reason(error)
                notices.unreadable.append("Record \(index + 1) of \(records.count): \(reason)")
            }
        }
    }

    private static func read(
        _ event: S3EventDocument.Bridge, into notices: inout ObjectNotices
    ) throws(ClairoError) {
        guard event.type == "Object Created" else {
            notices.ignored += 1
            return
        }
        do {
            let detail = try event.detail.get()
            notices.add(
                try ObjectNotice(
                    bucket: detail.bucket.name, key: detail.object.key, eTag: detail.object.etag,
                    sequencer: detail.object.sequencer))
        } catch {
            throw refused(
                (error as? ClairoError)?.message ?? "The event's detail is wrong: \(S3EventDocument.reason(error))")
        }
    }

    /// - Returns: Nil for an event that is not about a new object.
    private static func notice(_ record: S3EventDocument.Record) throws(ClairoError) -> ObjectNotice? {
        guard let version = record.eventVersion, let name = record.eventName, let s3 = record.s3 else {
            throw refused("It has no eventVersion, eventName or s3")
        }
        guard version.prefix(while: { $0 != "." }) == "2" else {
            throw refused("It has version \(version.prefix(20)), but only 2.x is supported")
        }
        // MinIO writes the prefix `s3:`; S3 does not.
        guard name.replacing("s3:", with: "", maxReplacements: 1).hasPrefix("ObjectCreated:") else { return nil }
        // S3 and MinIO both form-encode keys: a plus sign stands for a space.
        guard let key = s3.object.key.replacing("+", with: " ").removingPercentEncoding else {
            throw refused("Its key cannot be decoded")
        }
        return try ObjectNotice(
            bucket: s3.bucket.name, key: key, eTag: s3.object.eTag, sequencer: s3.object.sequencer)
    }
}

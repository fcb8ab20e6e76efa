internal import Foundation

/// The fields of an event, or of what is wrapped around one, that Clairo reads; all others are passed over.
struct S3EventDocument: Decodable {
    // Of Clairo's own message.
    var schema: Int?
    var videoID: String?
    /// Of the notification that S3 sends when it is set up.
    var testEvent: String?
    /// The document inside, where SNS passes it on to SQS.
    var snsMessage: String?
    var records: [Attempt]?

    /// A record that may be damaged beside others that are not.
    struct Attempt: Decodable {
        let result: Result<Record, any Error>

        init(from decoder: any Decoder) { result = Result { try Record(from: decoder) } }
    }

    struct Record: Decodable {
        struct S3: Decodable {
            struct Bucket: Decodable {
                var name: String
            }
            struct Object: Decodable {
                var key: String
                var eTag: String?
                var sequencer: String?
            }
            var bucket: Bucket
            var object: Object
        }

        struct SNS: Decodable {
            var message: String

            enum CodingKeys: String, CodingKey { case message = "Message" }
        }

        var eventVersion: String?
        var eventName: String?
        var s3: S3?
        /// Of SQS.
        var body: String?
        var sns: SNS?

        enum CodingKeys: String, CodingKey {
            case eventVersion, eventName, s3, body
            case sns = "Sns"
        }

        /// The document inside.
        var wrapped: String? { body ?? sns?.message }
    }

    enum CodingKeys: String, CodingKey {
        case schema, videoID
        case testEvent = "Event"
        case type = "Type"
        case message = "Message"
        case records = "Records"
    }

    /// Fails only where this is no object: in a stranger's document the same names may mean anything.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        schema = try? container.decode(Int.self, forKey: .schema)
        videoID = try? container.decode(String.self, forKey: .videoID)
        testEvent = try? container.decode(String.self, forKey: .testEvent)
        records = try? container.decode([Attempt].self, forKey: .records)
        let type = try? container.decode(String.self, forKey: .type)
        snsMessage = type == "Notification" ? try? container.decode(String.self, forKey: .message) : nil
    }

    /// One clause about what could not be decoded, without the document's own words.
    static func words(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
        return switch error as? DecodingError {
        case .keyNotFound(let key, let context): "it has no \(place(context.codingPath + [key]))"
        case .valueNotFound(_, let context), .typeMismatch(_, let context): "its \(place(context.codingPath)) is wrong"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty: "its \(place(context.codingPath)) is wrong"
        default: "it cannot be decoded"
        }
    }
}

import ClairoCore
import Foundation

/// A field of a JSON document, as in the tables of clairo-json(7).
struct JSONField: Hashable, CustomStringConvertible {
    var name: String
    /// `integer`, `string` and so on.
    var type: String
    var isOptional: Bool

    var description: String { "\(name): \(type)\(isOptional ? "?" : "")" }
}

/// Determines the fields of a `Decodable` type by decoding it: records what the type requests, and makes up the values.
final class FieldRecorder: Decoder {
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]
    private(set) var fields: [JSONField] = []
    /// The key whose presence was checked last: `decodeIfPresent` checks before it decodes.
    private var asked: String?

    static func fields(of type: any Decodable.Type) throws -> [JSONField] {
        let recorder = FieldRecorder()
        _ = try type.init(from: recorder)
        return recorder.fields
    }

    /// Values for types that do not accept every text or number.
    private static let samples: [any Sendable] = [
        Rational(25), Timestamp.now, VideoID.make(), JobID.make(), TaskID.make(), MessageID.make(), DynamicRange.sdr,
        LadderDecision.Verdict.kept, OutputManifest.State.complete, JobProgress.Phase.done,
        FramePlacement.times, CaptionService.cea608(channel: 1), TextPlan.Source.stream(index: 1),
        FrameSize(width: 2, height: 2),
        KeyID(of: "video", in: .make()),
    ]

    static func sample<T: Decodable>(_ type: T.Type) throws -> T {
        if let value = samples.lazy.compactMap({ $0 as? T }).first { return value }
        if let type = type as? any CaseIterable.Type, let value = first(type) as? T { return value }
        if let value = false as? T ?? "" as? T ?? 1.0 as? T { return value }
        if let type = type as? any FixedWidthInteger.Type, let value = type.init(1) as? T { return value }
        return try T(from: FieldRecorder())
    }

    private static func first<C: CaseIterable>(_ type: C.Type) -> Any? { type.allCases.first }

    /// The manual's name of a type.
    private static func word(_ type: any Decodable.Type) -> String {
        switch type {
        case is Bool.Type: "boolean"
        case is Double.Type: "number"
        case is Rational.Type: "fraction"
        case is Timestamp.Type: "time"
        case is Range<Int>.Type: "range"
        case is [String: String].Type, is [String: Int].Type, is [Int: Int].Type, is [Int: [ClockCorrection]].Type:
            "map"
        case is any FixedWidthInteger.Type: "integer"
        case is String.Type, is any RawRepresentable.Type, is VideoID.Type, is JobID.Type, is TaskID.Type,
            is MessageID.Type, is KeyID.Type:
            "string"
        case is any RandomAccessCollection.Type: "array"
        default: "object"
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Keyed<Key>(recorder: self))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { Unkeyed() }

    func singleValueContainer() -> any SingleValueDecodingContainer { Single() }

    private struct NotAField: Error {}

    private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let recorder: FieldRecorder
        let codingPath: [any CodingKey] = []
        let allKeys: [Key] = []

        func contains(_ key: Key) -> Bool {
            recorder.asked = key.stringValue
            return true
        }

        func decodeNil(forKey key: Key) -> Bool { false }

        func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
            let name = key.stringValue
            recorder.fields.append(
                JSONField(name: name, type: FieldRecorder.word(type), isOptional: recorder.asked == name))
            recorder.asked = nil
            return try FieldRecorder.sample(type)
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw NotAField() }
        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw NotAField() }
        func superDecoder() throws -> any Decoder { throw NotAField() }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw NotAField() }
    }

    /// Two elements, which serve as the bounds of a range.
    private struct Unkeyed: UnkeyedDecodingContainer {
        let codingPath: [any CodingKey] = []
        var currentIndex = 0
        var count: Int? { 2 }
        var isAtEnd: Bool { currentIndex == 2 }

        mutating func decodeNil() -> Bool { false }

        mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
            currentIndex += 1
            return try FieldRecorder.sample(type)
        }

        func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
            throw NotAField()
        }
        func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw NotAField() }
        func superDecoder() throws -> any Decoder { throw NotAField() }
    }

    private struct Single: SingleValueDecodingContainer {
        let codingPath: [any CodingKey] = []

        func decodeNil() -> Bool { false }

        func decode<T: Decodable>(_ type: T.Type) throws -> T { try FieldRecorder.sample(type) }
    }
}

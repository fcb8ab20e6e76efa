import ClairoCore
import ClairoPipeline
import Foundation
import Testing

/// The message formats of the uploads topic.
@Suite struct UploadDialectTests {
    /// The example from AWS's documentation, version 2.1, with a test's changes.
    static func record(
        bucket: String = "incoming", key: String = "film.mp4", name: String = "ObjectCreated:Put",
        version: String = "2.1", eTag: String = "0123456789abcdef0123456789abcdef", sequencer: String? = nil,
        more: String = ""
    ) -> String {
        """
        {"eventVersion":"\(version)","eventSource":"aws:s3","awsRegion":"us-west-2","eventTime":"2026-11-22T18:04:05.123Z",
        "eventName":"\(name)","userIdentity":{"principalId":"AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-request-id":"C3D13FE58DE4C810"},
        "s3":{"s3SchemaVersion":"1.0","configurationId":"all","bucket":{"name":"\(bucket)","ownerIdentity":
        {"principalId":"A3NL1KOZZKExample"},"arn":"arn:aws:s3:::\(bucket)"},"object":{"key":"\(key)","size":1024,
        "eTag":"\(eTag)","versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko"\(sequencer.map { ",\"sequencer\":\"\($0)\"" } ?? "")}}\(more)}
        """
    }

    static func event(_ records: String...) -> String { "{\"Records\":[\(records.joined(separator: ","))]}" }

    private func read(_ text: String) throws -> ObjectNotices {
        guard case .objects(let notices) = try UploadDialect.read(Data(text.utf8)) else {
            throw ClairoError.defect("that is Clairo's own message")
        }
        return notices
    }

    private func quoted(_ text: String) throws -> String {
        String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }

    // MARK: Dialects

    @Test func clairosOwnMessageIsReadBack() throws {
        let location = ObjectLocation(bucket: "raw", key: "videos/x/source", url: "s3://raw/videos/x/source")
        let video = Video(
            id: .make(), originalName: "f", source: location, size: 3, sha256: "00", traceID: "t", uploadedAt: .now)
        let message = UploadMessage(video)
        #expect(try UploadDialect.read(try JSON.encode(message)) == .video(message))
    }

    @Test func aMessageOfANewerSchemaIsADefectWithAdvice() throws {
        let text = "{\"schema\":2,\"videoID\":\"01a20485-3cda-7be7-aafe-410d89345f78\",\"somethingNew\":true}"
        let error = try #require(throws: ClairoError.self) { try UploadDialect.read(Data(text.utf8)) }
        #expect(error.kind == .defect && error.exitCode == .configuration)
        #expect(error.message == "The message has schema 2, but this program knows 1")
        #expect(error.advice?.contains("same version") == true)
    }

    @Test func theErrorForADamagedMessageNamesTheField() throws {
        let text = "{\"schema\":1,\"videoID\":\"01a20485-3cda-7be7-aafe-410d89345f78\",\"bucket\":7}"
        let error = try #require(throws: ClairoError.self) { try UploadDialect.read(Data(text.utf8)) }
        #expect(error.kind == .badInput && error.message.contains("bucket"), "\(error)")
    }

    @Test(arguments: ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.99"])
    func eventsOfAllMinorVersionsAreRead(_ version: String) throws {
        let notices = try read(
            Self.event(Self.record(version: version, sequencer: "0A1B2C", more: ",\"new\":{\"a\":[1]}")))
        #expect(
            notices.objects == [
                try ObjectNotice(
                    bucket: "incoming", key: "film.mp4", eTag: "0123456789abcdef0123456789abcdef", sequencer: "0A1B2C")
            ])
        #expect(notices.unreadable.isEmpty && notices.ignored == 0)
    }

    @Test(arguments: ["1.9", "3.0", "20.1", ""]) func anotherMajorVersionIsRefused(_ version: String) throws {
        let notices = try read(Self.event(Self.record(version: version)))
        #expect(notices.objects.isEmpty)
        #expect(notices.unreadable == ["Record 1 of 1: It has version \(version), but only 2.x is supported"])
    }

    @Test(arguments: ["Put", "Post", "Copy", "CompleteMultipartUpload", "SomethingOfTomorrow"])
    func everyObjectCreatedEventIsRead(_ way: String) throws {
        #expect(try read(Self.event(Self.record(name: "ObjectCreated:\(way)"))).objects.count == 1)
    }

    @Test func otherEventsAreCountedAndIgnored() throws {
        let notices = try read(
            Self.event(
                Self.record(name: "ObjectRemoved:Delete"), Self.record(key: "b.mp4"),
                Self.record(name: "ObjectRestore:Completed"), Self.record(name: "s3:ObjectRemoved:Delete")))
        #expect(notices.objects.map(\.key) == ["b.mp4"] && notices.ignored == 3)
    }

    @Test func theTestNotificationIsIgnored() throws {
        let notices = try read(
            #"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-22T18:04:05.123Z","Bucket":"b","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR"}"#
        )
        #expect(notices.objects.isEmpty && notices.ignored == 1 && notices.unreadable.isEmpty)
    }

    @Test func eventsOfMinIOAreRead() throws {
        let record = Self.record(name: "s3:ObjectCreated:Put", version: "2.0", sequencer: "17A1B2C3D4E5F607")
            .replacing("aws:s3", with: "minio:s3")
        let text = #"{"EventName":"s3:ObjectCreated:Put","Key":"incoming/film.mp4","Records":[\#(record)]}"#
        let notices = try read(text)
        #expect(notices.objects.map(\.key) == ["film.mp4"] && notices.objects.map(\.bucket) == ["incoming"])
    }

    @Test func eventsWrappedBySNSAndSQSAreRead() throws {
        let inner = Self.event(Self.record(key: "a+b.mp4"))
        let notification =
            #"{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:x","Message":\#(try quoted(inner))}"#
        let sqs =
            #"{"Records":[{"messageId":"1","receiptHandle":"r","body":\#(try quoted(inner)),"eventSource":"aws:sqs"}]}"#
        let both = sqs.replacing(try quoted(inner), with: try quoted(notification))
        let sns =
            #"{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Type":"Notification","Message":\#(try quoted(inner))}}]}"#
        for text in [notification, sqs, both, sns] {
            #expect(try read(text).objects.map(\.key) == ["a b.mp4"], "\(text)")
        }
    }

    @Test func anEventInTooManyEnvelopesIsRefused() throws {
        var text = Self.event(Self.record())
        for _ in 0..<4 { text = #"{"Type":"Notification","Message":\#(try quoted(text))}"# }
        let error = try #require(throws: ClairoError.self) { try read(text) }
        #expect(error.kind == .badInput)
    }

    /// The example from AWS's documentation with a test's values.
    static func bridge(
        key: String = "film.mp4", type: String = "Object Created", source: String = "aws.s3",
        bucket: String = "incoming"
    ) -> String {
        """
        {"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"\(type)","source":"\(source)",
        "account":"111122223333","time":"2026-11-12T00:00:00Z","region":"ca-central-1",
        "resources":["arn:aws:s3:::\(bucket)"],"detail":{"version":"0","bucket":{"name":"\(bucket)"},
        "object":{"key":"\(key)","size":5,"etag":"b1946ac92492d2347c6235b4d2611184",
        "version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"617f08299329d189"},"request-id":"N4N7GDK58NMKJ12R",
        "requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}
        """
    }

    /// Keys are not encoded there.
    @Test(arguments: ["film.mp4", "a+b c.mp4", "100%25.mp4", "über/映画.mov"])
    func eventsOfEventBridgeAreReadWithTheirKeysAsTheyAre(_ key: String) throws {
        let notices = try read(Self.bridge(key: key))
        #expect(
            notices.objects == [
                try ObjectNotice(
                    bucket: "incoming", key: key, eTag: "b1946ac92492d2347c6235b4d2611184",
                    sequencer: "617f08299329d189")
            ])
    }

    @Test func eventsOfEventBridgeWrappedBySNSAndSQSAreRead() throws {
        let inner = Self.bridge(key: "a+b.mp4")
        let notification = #"{"Type":"Notification","Message":\#(try quoted(inner))}"#
        let sqs = #"{"Records":[{"messageId":"1","body":\#(try quoted(inner)),"eventSource":"aws:sqs"}]}"#
        let both = sqs.replacing(try quoted(inner), with: try quoted(notification))
        for text in [notification, sqs, both] { #expect(try read(text).objects.map(\.key) == ["a+b.mp4"], "\(text)") }
    }

    @Test func otherEventsOfEventBridgeAreIgnoredOrRefused() throws {
        for type in ["Object Deleted", "Object Tags Added", "AWS API Call via CloudTrail"] {
            let notices = try read(Self.bridge(type: type))
            #expect(notices.objects.isEmpty && notices.ignored == 1 && notices.unreadable.isEmpty)
        }
        for text in [
            Self.bridge(source: "aws.ec2"), Self.bridge(bucket: "a/b"), Self.bridge(key: ""),
            #"{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"}}}"#,
        ] {
            let error = try #require(throws: ClairoError.self) { try read(text) }
            #expect(error.kind == .badInput)
        }
    }

    // MARK: Keys

    static let keys = [
        ("red+flower.jpg", "red flower.jpg"), ("a%2Bb.mp4", "a+b.mp4"),
        ("%C3%BCber/%E6%98%A0%E7%94%BB.mov", "über/映画.mov"),
        ("%22quoted%22+%27it%27.mp4", "\"quoted\" 'it'.mp4"), ("line%0Abreak.mp4", "line\nbreak.mp4"),
        ("100%25.mp4", "100%.mp4"), ("a/b//c/.%2E/d", "a/b//c/../d"), ("%F0%9F%8E%AC", "🎬"), ("%2B+%2b", "+ +"),
    ]

    @Test(arguments: keys) func keysAreFormDecoded(_ encoded: String, _ key: String) throws {
        #expect(try read(Self.event(Self.record(key: encoded))).objects.map(\.key) == [key])
    }

    static let damagedKeys = ["%ZZ.mp4", "%C3.mp4", "%", "", "nul%00.mp4", String(repeating: "k", count: 1025)]

    @Test(arguments: damagedKeys) func anInvalidKeyIsRefusedAndTheOthersAreRead(_ key: String) throws {
        let notices = try read(Self.event(Self.record(key: key), Self.record(key: "good.mp4")))
        #expect(notices.objects.map(\.key) == ["good.mp4"])
        #expect(notices.unreadable.count == 1 && notices.unreadable[0].hasPrefix("Record 1 of 2: "))
    }

    @Test(arguments: ["", ".", "..", "a/b", "a?b", "host:80", "a b", "evil.com#", "bücket", "x@y", "a%2Fb"])
    func anInvalidBucketIsRefused(_ bucket: String) throws {
        let notices = try read(Self.event(Self.record(bucket: bucket)))
        #expect(notices.objects.isEmpty && notices.unreadable.count == 1)
    }

    // MARK: Order

    static let sequencers: [(String, String, Bool)] = [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", true), ("0055AED6DCD90281E6", "0055AED6DCD90281E5", false),
        // The shorter one is padded with zeros on the right.
        ("0055AED6DCD90281E5", "0055AED7", true), ("0055AED7", "0055AED6DCD90281E5", false), ("1", "12", true),
        ("12", "1", false), ("1", "10", true), ("9", "10", false),
    ]

    @Test(arguments: sequencers) func theLatestEventOfAKeyIsUsed(_ first: String, _ second: String, _ secondWins: Bool)
        throws
    {
        let notices = try read(
            Self.event(
                Self.record(eTag: "first", sequencer: first), Self.record(eTag: "second", sequencer: second)))
        #expect(notices.objects.map(\.eTag) == [secondWins ? "second" : "first"] && notices.superseded == 1)
    }

    @Test func onlyEventsOfTheSameObjectAreCompared() throws {
        let notices = try read(
            Self.event(
                Self.record(key: "a", sequencer: "9"), Self.record(key: "b", sequencer: "1"),
                Self.record(bucket: "other", key: "a", sequencer: "1"), Self.record(key: "a", sequencer: "3"),
                Self.record(key: "e%CC%81"), Self.record(key: "%C3%A9")))
        // An é in two spellings is two keys.
        #expect(notices.objects.map { Array($0.key.utf8).count } == [1, 1, 1, 3, 2] && notices.superseded == 1)
        #expect(notices.objects.map(\.sequencer) == ["9", "1", "1", nil, nil])
    }

    // MARK: Invalid input

    static let garbage = [
        "", " ", "null", "[]", "7", "\"text\"", "{}", "{\"Records\":7}", "{\"Records\":null}", "{\"Records\":{}}",
        "not json", "{\"Records\":[", "<xml/>", "{\"schema\":1}", "{\"Event\":\"other\"}", "\u{0}\u{1}\u{2}",
        "{\"Type\":\"Notification\",\"Message\":\"garbage\"}", "{\"Type\":\"Notification\"}",
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
        "{\"a\":" + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + "}",
    ]

    @Test(arguments: garbage) func refusesAMessageThatIsNotAnEventAndSaysWhatWasExpected(_ text: String) throws {
        let error = try #require(throws: ClairoError.self) { try UploadDialect.read(Data(text.utf8)) }
        #expect(error.kind == .badInput && error.exitCode == .badMedia)
        #expect(error.advice?.contains("event from S3 (version 2.x), EventBridge or MinIO") == true)
    }

    @Test func bytesThatAreNotUTF8AreRefused() throws {
        for bytes in [Data([0xFF, 0xFE, 0xFD]), Data([0xC3, 0x28]), Data(repeating: 0xFF, count: 1000)] {
            let error = try #require(throws: ClairoError.self) { try UploadDialect.read(bytes) }
            #expect(error.kind == .badInput)
        }
    }

    @Test func aMessageOfUpToOneMebibyteIsRead() throws {
        let event = Self.event(Self.record())
        let padding = String(repeating: " ", count: UploadDialect.largestDocument - event.utf8.count)
        #expect(try read(event + padding).objects.count == 1)
        let error = try #require(throws: ClairoError.self) { try read(event + padding + " ") }
        #expect(error.kind == .badInput && error.message.contains("1048577"))
        let huge = Data(repeating: 0x7B, count: 16 << 20)
        #expect(throws: ClairoError.self) { try UploadDialect.read(huge) }
        #expect(throws: ClairoError.self) { try read(String(repeating: "x", count: 1 << 20)) }
    }

    @Test func theNumberOfRecordsIsLimited() throws {
        let few =
            "{\"Records\":[" + Array(repeating: "{}", count: UploadDialect.mostRecords).joined(separator: ",") + "]}"
        #expect(try read(few).unreadable.count == UploadDialect.mostRecords)
        let error = try #require(throws: ClairoError.self) {
            try read(few.replacing("[{}", with: "[{},{}", maxReplacements: 1))
        }
        #expect(error.message.contains("10001 records"))
    }

    static let damagedRecords = [
        "{}", "7", "null", "[]", #"{"eventVersion":"2.1","eventName":"ObjectCreated:Put"}"#,
        #"{"eventVersion":2.1,"eventName":"ObjectCreated:Put","s3":{}}"#,
        #"{"eventVersion":"2.1","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{}}}"#,
        #"{"eventVersion":"2.1","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":null},"object":{"key":"k"}}}"#,
        #"{"body":"garbage"}"#, #"{"Sns":{"Message":7}}"#,
    ]

    @Test(arguments: damagedRecords) func aDamagedRecordDoesNotAffectTheOthers(_ record: String) throws {
        let notices = try read(Self.event(record, Self.record(key: "good.mp4")))
        #expect(notices.objects.map(\.key) == ["good.mp4"])
        #expect(notices.unreadable.count == 1)
    }

    @Test func aDocumentWithAnyByteChangedIsReadOrRefused() throws {
        let event = Data(Self.event(Self.record(key: "a+%C3%BC.mp4", sequencer: "0A")).utf8)
        var generator = SystemRandomNumberGenerator()
        for index in event.indices {
            var damaged = event
            damaged[index] = UInt8.random(in: .min ... .max, using: &generator)
            do {
                _ = try UploadDialect.read(damaged)
            } catch {
                #expect(error.kind == .badInput || error.kind == .defect)
            }
            _ = try? UploadDialect.read(event.prefix(index))
        }
    }
}

internal import Foundation

/// A setting of `TranscodeSettings`: its names, its valid values, and its parsing from text and documents.
public struct SettingField: Sendable {
    /// The name in a profile: `segment-seconds`.
    public let name: String
    /// The name of the option on the command line, without dashes. The same in nearly all cases.
    public let option: String
    /// One or two sentences.
    public let help: String
    /// The placeholder for the value in help; nil for flags and if the name is clear.
    public let valueName: String?
    /// The valid values, as the continuation of "Give": `a number from 0 to 51`. Empty for a flag.
    public let words: String
    /// The default as text: `23`, `all that fit`; `false` for flags.
    public let defaultText: String
    /// Whether it is true or false.
    public let isFlag: Bool
    /// Whether profiles have it. They do not have settings that concern a single source.
    public let isInProfiles: Bool

    /// Parses user input: one text, or the items of a list.
    let read: @Sendable (_ texts: [String], inout TranscodeSettings) throws(SettingProblem) -> Void
    let validate: @Sendable (TranscodeSettings) throws(SettingProblem) -> Void
    let isEqual: @Sendable (TranscodeSettings, TranscodeSettings) -> Bool
    let encode: @Sendable (TranscodeSettings, inout KeyedEncodingContainer<Key>) throws -> Void
    let decode: @Sendable (KeyedDecodingContainer<Key>, inout TranscodeSettings) throws -> Void

    /// The name in JSON documents.
    struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    /// Parses user input and sets the setting.
    /// - Parameter texts: The items of a list, or one text.
    public func set(_ texts: [String], in settings: inout TranscodeSettings) throws(SettingProblem) {
        try read(texts, &settings)
        try validate(settings)
    }

    /// The same for one text, in which commas separate the items of a list.
    public func set(_ text: String, in settings: inout TranscodeSettings) throws(SettingProblem) {
        try set(
            text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty },
            in: &settings)
    }
}

/// An invalid setting. The message is the same on the command line, in profiles and in documents.
public struct SettingProblem: Error, Sendable, Hashable {
    /// Name of the field in a profile.
    public let field: String
    /// Name of the option on the command line.
    public let option: String
    /// The text after the name of the setting: `52 is out of range`.
    public let problem: String
    /// What to give instead.
    public let advice: String

    /// As an option of the command line.
    public var usageError: ClairoError { .usage("--\(option) \(problem)", advice: advice) }

    /// - Parameter place: The origin of the setting, such as `The profile mobile`.
    public func configurationError(in place: String) -> ClairoError {
        .configuration("\(place): \(field) \(problem)", advice: advice)
    }
}

// MARK: Kinds of settings

extension SettingField {
    typealias Path<Value> = WritableKeyPath<TranscodeSettings, Value> & Sendable

    /// A number in a range.
    static func number(
        _ name: String, _ path: any Path<Double>, key: String? = nil, _ range: ClosedRange<Double>, valueName: String,
        help: String
    ) -> SettingField {
        make(
            name, path, Coding(path, key ?? name), words: "a number from \(text(range))",
            default: text(TranscodeSettings()[keyPath: path]), help: help, valueName: valueName,
            parse: number, fault: { range.contains($0) ? nil : "\(text($0)) is out of range" })
    }

    /// A number in a range, which need not be given.
    static func number(
        _ name: String, _ path: any Path<Double?>, _ range: ClosedRange<Double>, valueName: String, help: String,
        absent: String
    ) -> SettingField {
        make(
            name, path, Coding(path, name), words: "a number from \(text(range))", default: absent, help: help,
            valueName: valueName, parse: { texts throws(Fault) in try number(texts) },
            fault: { value in value.flatMap { range.contains($0) ? nil : "\(text($0)) is out of range" } })
    }

    /// Seconds of the source, of which there need be none.
    static func time(
        _ name: String, _ path: any Path<Rational?>, key: String? = nil, _ range: ClosedRange<Double>, help: String,
        absent: String, isInProfiles: Bool = false
    ) -> SettingField {
        make(
            name, path, Coding(path, key ?? name), words: "a number of seconds from \(text(range))", default: absent,
            help: help, valueName: "seconds", isInProfiles: isInProfiles,
            parse: { texts throws(Fault) in
                let seconds = try number(texts)
                // Before it becomes a fraction, which cannot be everything that a number can.
                guard range.contains(seconds) else { throw Fault("\(text(seconds)) is out of range") }
                return Rational(seconds: seconds)
            },
            fault: { time in
                time.flatMap { range.contains($0.doubleValue) ? nil : "\(text($0.doubleValue)) is out of range" }
            })
    }

    /// One of some words.
    static func choice(_ name: String, _ path: any Path<String>, of words: [String], help: String) -> SettingField {
        make(
            name, path, Coding(path, name), words: "one of \(words.joined(separator: ", "))",
            default: TranscodeSettings()[keyPath: path], help: help,
            parse: single, fault: { words.contains($0) ? nil : "\($0) is not known" })
    }

    /// One of the words of an enumeration.
    static func choice<Value: CaseIterable & RawRepresentable<String> & Codable & Hashable & Sendable>(
        _ name: String, _ path: any Path<Value>, help: String
    ) -> SettingField {
        let words = Value.allCases.map(\.rawValue)
        return make(
            name, path, Coding(path, name), words: "one of \(words.joined(separator: ", "))",
            default: TranscodeSettings()[keyPath: path].rawValue, help: help,
            parse: { texts throws(Fault) in
                let text = try single(texts)
                guard let value = Value(rawValue: text.lowercased()) else { throw Fault("\(text) is not known") }
                return value
            },
            fault: { _ in nil })
    }

    /// One of some words, or none.
    static func option<Value: Codable & Hashable & Sendable>(
        _ name: String, _ path: any Path<Value?>, of values: [(word: String, value: Value)], help: String,
        absent: String
    ) -> SettingField {
        make(
            name, path, Coding(path, name),
            words: "one of \((values.map(\.word) + [absent]).joined(separator: ", "))", default: absent, help: help,
            parse: { texts throws(Fault) in
                let text = try single(texts)
                if text.lowercased() == absent { return nil }
                guard let value = values.first(where: { $0.word == text.lowercased() }) else {
                    throw Fault("\(text) is not known")
                }
                return value.value
            },
            fault: { _ in nil })
    }

    /// Any text of a form, or none.
    static func text(
        _ name: String, _ path: any Path<String?>, key: String, words: String,
        isValid: @escaping @Sendable (String) -> Bool, valueName: String, help: String, absent: String
    ) -> SettingField {
        make(
            name, path, Coding(path, key), words: words, default: absent, help: help, valueName: valueName,
            // Only lists have commas between items.
            parse: { texts throws(Fault) in texts.isEmpty ? nil : texts.joined(separator: ",") },
            fault: { $0.flatMap { isValid($0) ? nil : "is not valid" } })
    }

    /// Texts of a form, in their own order, of which there need be none.
    static func texts(
        _ name: String, _ path: any Path<[String]?>, key: String? = nil, words: String,
        isValid: @escaping @Sendable (String) -> Bool, valueName: String, help: String, absent: String
    ) -> SettingField {
        make(
            name, path, Coding(path, key ?? name), words: words, default: absent, help: help, valueName: valueName,
            parse: { texts throws(Fault) in texts.isEmpty ? nil : texts },
            fault: { $0.flatMap { $0.allSatisfy(isValid) ? nil : "is not valid" } })
    }

    /// Some of some words, in their own order.
    static func choices<Value: Codable & Hashable & Sendable>(
        _ name: String, option: String, _ path: any Path<[Value]>, of values: [(word: String, value: Value)],
        help: String
    ) -> SettingField {
        let initial = TranscodeSettings()[keyPath: path]
        return make(
            name, option: option, path, Coding(path, name),
            words: "some of \(values.map(\.word).joined(separator: ", "))",
            default: values.filter { initial.contains($0.value) }.map(\.word).joined(separator: ","), help: help,
            parse: { texts throws(Fault) in
                var chosen: Set<Value> = []
                for text in texts {
                    guard let value = values.first(where: { $0.word == text.lowercased() }) else {
                        throw Fault("\(text) is not known")
                    }
                    chosen.insert(value.value)
                }
                return values.map(\.value).filter(chosen.contains)
            },
            fault: { $0.isEmpty ? "is empty" : nil })
    }

    /// A list of items, of which there need be none; sorted, each once.
    static func list<Item: Codable & Hashable & Sendable>(
        _ name: String, _ path: any Path<[Item]?>, key: String? = nil, words: String,
        read: @escaping @Sendable (String) -> Item?,
        isValid: @escaping @Sendable (Item) -> Bool, order: @escaping @Sendable (Item, Item) -> Bool,
        valueName: String, help: String, absent: String
    ) -> SettingField {
        make(
            name, path, Coding(path, key ?? name), words: words, default: absent, help: help, valueName: valueName,
            parse: { texts throws(Fault) in
                var items: Set<Item> = []
                for text in texts {
                    guard let item = read(text.lowercased()) else { throw Fault("\(text) is not valid") }
                    items.insert(item)
                }
                return items.sorted(by: order)
            },
            fault: { items in
                guard let items else { return nil }
                return items.isEmpty ? "is empty" : items.first { !isValid($0) }.map { "\($0) is out of range" }
            })
    }

    /// On or off.
    /// - Parameter option: The name of the option if it differs, as that of an option that turns something off.
    static func flag(
        _ name: String, option: String? = nil, _ path: any Path<Bool>, key: String, help: String
    ) -> SettingField {
        make(
            name, option: option, path, Coding(path, key), words: "true or false",
            default: text(TranscodeSettings()[keyPath: path]), help: help, isFlag: true,
            parse: { texts throws(Fault) in
                let text = try single(texts)
                switch text.lowercased() {
                case "true", "yes", "on": return true
                case "false", "no", "off": return false
                default: throw Fault("\(text) is neither true nor false")
                }
            },
            fault: { _ in nil })
    }

    /// The problem, as the text after the setting's name.
    private struct Fault: Error {
        var text: String
        init(_ text: String) { self.text = text }
    }

    /// Encodes and decodes a property in documents.
    private struct Coding {
        var encode: @Sendable (TranscodeSettings, inout KeyedEncodingContainer<Key>) throws -> Void
        var decode: @Sendable (KeyedDecodingContainer<Key>, inout TranscodeSettings) throws -> Void

        init<Value: Codable & Sendable>(_ path: any Path<Value>, _ name: String) {
            let key = Key(name)
            encode = { try $1.encode($0[keyPath: path], forKey: key) }
            decode = { if let value = try $0.decodeIfPresent(Value.self, forKey: key) { $1[keyPath: path] = value } }
        }

        init<Value: Codable & Sendable>(_ path: any Path<Value?>, _ name: String) {
            let key = Key(name)
            encode = { try $1.encodeIfPresent($0[keyPath: path], forKey: key) }
            decode = { $1[keyPath: path] = try $0.decodeIfPresent(Value.self, forKey: key) }
        }
    }

    /// - Parameters:
    ///   - parse: Parses the items of a list, or one text.
    ///   - fault: Returns the problem of a value; nil if it is valid.
    private static func make<Value: Equatable & Sendable>(
        _ name: String, option: String? = nil, _ path: any Path<Value>, _ coding: Coding, words: String,
        default defaultText: String, help: String, valueName: String? = nil, isFlag: Bool = false,
        isInProfiles: Bool = true, parse: @escaping @Sendable ([String]) throws(Fault) -> Value,
        fault: @escaping @Sendable (Value) -> String?
    ) -> SettingField {
        let option = option ?? name
        @Sendable func problem(_ text: String) -> SettingProblem {
            SettingProblem(field: name, option: option, problem: text, advice: "Give \(words).")
        }
        return SettingField(
            name: name, option: option, help: help, valueName: valueName, words: words, defaultText: defaultText,
            isFlag: isFlag, isInProfiles: isInProfiles,
            read: { (texts, settings) throws(SettingProblem) in
                do throws(Fault) {
                    settings[keyPath: path] = try parse(texts)
                } catch {
                    throw problem(error.text)
                }
            },
            validate: { (settings) throws(SettingProblem) in
                if let text = fault(settings[keyPath: path]) { throw problem(text) }
            },
            isEqual: { $0[keyPath: path] == $1[keyPath: path] }, encode: coding.encode, decode: coding.decode)
    }

    private static func single(_ texts: [String]) throws(Fault) -> String {
        guard let text = texts.first else { throw Fault("is empty") }
        guard texts.count == 1 else { throw Fault("takes one value") }
        return text
    }

    private static func number(_ texts: [String]) throws(Fault) -> Double {
        let text = try single(texts)
        guard let number = Double(text) else { throw Fault("\(text) is not a number") }
        return number
    }

    private static func text(_ range: ClosedRange<Double>) -> String {
        "\(text(range.lowerBound)) to \(text(range.upperBound))"
    }

    /// Whole numbers without a fraction.
    private static func text(_ number: Double) -> String {
        let text = "\(number)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static func text(_ flag: Bool) -> String { flag ? "true" : "false" }
}

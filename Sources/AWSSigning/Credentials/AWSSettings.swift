/// The settings of AWS's tools that Clairo's S3 and ECS clients also use. The environment takes precedence over the
/// profile.
public struct AWSSettings: Sendable {
    /// Where a bucket's name is in a URL.
    public enum AddressingStyle: String, Sendable {
        /// The client chooses.
        case auto
        /// `https://host/bucket/key`
        case path
        /// `https://bucket.host/key`
        case virtual
    }

    /// When a client uses the checksums of S3 that are optional.
    public enum ChecksumUse: String, Sendable {
        /// Whenever the operation supports it. The default.
        case whenSupported = "when_supported"
        /// Only if the operation requires it.
        case whenRequired = "when_required"
    }

    /// The name of the profile from which the settings come.
    public let profile: String
    /// The region, such as `eu-central-1`, or nil if no setting names one.
    public let region: String?
    /// The profile's setting `addressing_style` in `s3`, or nil if it is not set.
    public let s3AddressingStyle: AddressingStyle?
    /// The path of a file of trusted CA certificates, or nil if it is not set.
    public let caBundle: String?
    /// The maximum number of attempts per request, or nil if it is not set.
    public let maxAttempts: Int?
    /// Whether requests have checksums: `AWS_REQUEST_CHECKSUM_CALCULATION` or `request_checksum_calculation`.
    public let requestChecksums: ChecksumUse
    /// Whether replies are compared with checksums: `AWS_RESPONSE_CHECKSUM_VALIDATION` or
    /// `response_checksum_validation`.
    public let responseChecksums: ChecksumUse
    private let endpoints: @Sendable (String) -> String?

    /// - Parameter profile: Overrides `AWS_PROFILE`.
    /// - Throws: An error if a shared file or a setting is invalid.
    public init(_ system: AWSSystem, profile: String? = nil) throws(AWSConfigurationError) {
        let profile = profile ?? system.profileVariable ?? "default"
        let files = try AWSProfileFiles(system)
        let section = files.configuration(of: profile) ?? [:]
        // Some users keep settings in the credentials file.
        let beside = files.credentials(of: profile) ?? [:]
        func setting(_ variables: [String], _ name: String) -> String? {
            for variable in variables { if let value = system.variable(variable) { return value } }
            return [section[name]?.text, beside[name]?.text].compactMap { $0 }.first { !$0.isEmpty }
        }
        self.profile = profile
        region = setting(["AWS_REGION", "AWS_DEFAULT_REGION"], "region")
        caBundle = setting(["AWS_CA_BUNDLE"], "ca_bundle").map(system.expanded)
        if let text = setting(["AWS_MAX_ATTEMPTS"], "max_attempts") {
            guard let number = Int(text), number > 0 else {
                throw AWSConfigurationError("AWS_MAX_ATTEMPTS or max_attempts must be a whole number above 0")
            }
            maxAttempts = number
        } else {
            maxAttempts = nil
        }
        if let text = section["s3"]?.nested["addressing_style"] {
            guard let style = AddressingStyle(rawValue: text) else {
                throw AWSConfigurationError(
                    "\(files.configurationPath), profile \(profile): s3.addressing_style must be auto, path or virtual")
            }
            s3AddressingStyle = style
        } else {
            s3AddressingStyle = nil
        }
        func checksums(_ variable: String, _ name: String) throws(AWSConfigurationError) -> ChecksumUse {
            guard let text = setting([variable], name) else { return .whenSupported }
            guard let use = ChecksumUse(rawValue: text.lowercased()) else {
                throw AWSConfigurationError("\(variable) or \(name) must be when_supported or when_required")
            }
            return use
        }
        requestChecksums = try checksums("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation")
        responseChecksums = try checksums("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation")
        let services = section["services"].flatMap { files.services($0.text) } ?? [:]
        let ignoresConfigured =
            (system.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") ?? section["ignore_configured_endpoint_urls"]?.text)?
            .lowercased() == "true"
        endpoints = { service in
            if ignoresConfigured { return nil }
            let inServices = services[service.lowercased()]?.nested["endpoint_url"]
            return system.variable("AWS_ENDPOINT_URL_\(service.uppercased())") ?? system.variable("AWS_ENDPOINT_URL")
                ?? inServices ?? section["endpoint_url"]?.text
        }
    }

    /// The configured endpoint of a service, or nil for AWS's own. The first of these settings applies: a variable such
    /// as `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's `services` section, the profile's `endpoint_url`.
    /// All are ignored if `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` or `ignore_configured_endpoint_urls` is `true`.
    /// - Parameter service: For example `s3` or `ecs`.
    public func endpointURL(of service: String) -> String? { endpoints(service) }
}

extension AWSSystem {
    var profileVariable: String? { variable("AWS_PROFILE") ?? variable("AWS_DEFAULT_PROFILE") }
}

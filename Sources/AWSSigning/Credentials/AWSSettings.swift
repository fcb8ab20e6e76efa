/// Settings of AWS's tools that a client of S3 or ECS heeds too, from the environment and from the profile in that order.
public struct AWSSettings: Sendable {
    /// How a bucket is named in a URL.
    public enum AddressingStyle: String, Sendable {
        /// The client chooses.
        case auto
        /// `https://host/bucket/key`
        case path
        /// `https://bucket.host/key`
        case virtual
    }

    /// The profile that these are of.
    public let profile: String
    /// The region, such as `eu-central-1`; nil if no setting names one.
    public let region: String?
    /// `s3.addressing_style`
    public let s3AddressingStyle: AddressingStyle?
    /// A file of certificates to trust.
    public let caBundle: String?
    /// How often a request is sent at most.
    public let maxAttempts: Int?
    private let endpoints: @Sendable (String) -> String?

    /// - Parameter profile: instead of `AWS_PROFILE`.
    public init(_ system: AWSSystem, profile: String? = nil) throws(AWSConfigurationError) {
        let profile = profile ?? system.profileVariable ?? "default"
        let files = try AWSProfileFiles(system)
        let section = files.configuration(of: profile) ?? [:]
        // Some keep such settings beside their keys.
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

    /// Where a service is instead of at AWS: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, then the profile's `services` section,
    /// then its `endpoint_url`; none of them under `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`.
    /// - Parameter service: such as `s3` or `ecs`.
    public func endpointURL(of service: String) -> String? { endpoints(service) }
}

extension AWSSystem {
    var profileVariable: String? { variable("AWS_PROFILE") ?? variable("AWS_DEFAULT_PROFILE") }
}

internal import ClairoCore
internal import Foundation

/// The policy that limits an ECS task to the output folder of its job. AWS allows what both this policy and the role
/// allow.
///
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
struct JobPolicy: Encodable {
    struct Statement: Encodable {
        let effect = "Allow"
        var actions: [String]
        var resource: String
        /// Operators, each with a key and its value.
        var condition: [String: [String: String]]?

        enum CodingKeys: String, CodingKey {
            case effect = "Effect"
            case actions = "Action"
            case resource = "Resource"
            case condition = "Condition"
        }
    }

    let version = "2012-10-17"
    var statements: [Statement]

    enum CodingKeys: String, CodingKey {
        case version = "Version"
        case statements = "Statement"
    }

    /// - Parameters:
    ///   - output: The output store's own location: bucket and prefix.
    ///   - role: The ARN of the role, which names the partition (`aws`, `aws-cn` …).
    init(output: ObjectLocation, folder: JobFolder, role: ECSOutputRole) {
        let bucket = "arn:\(role.partition):s3:::\(Self.literal(output.bucket))"
        let store = Self.literal(output.key)
        let job = store + folder.prefix + "*"
        statements = [
            .init(
                actions: [
                    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                ], resource: "\(bucket)/\(job)"),
            // The store's check, which distinguishes a store that refuses everything from one that refuses a name.
            .init(actions: ["s3:PutObject", "s3:AbortMultipartUpload"], resource: "\(bucket)/\(store).clairo-check"),
            // Without this, a missing object is reported as forbidden.
            .init(actions: ["s3:ListBucket"], resource: bucket, condition: ["StringLike": ["s3:prefix": job]]),
            // For buckets with keys of their own. The role says which keys.
            .init(actions: ["kms:Decrypt", "kms:GenerateDataKey"], resource: "*"),
        ]
    }

    /// Escapes the characters that have a meaning in resources and conditions. Source:
    /// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    private static func literal(_ text: String) -> String {
        text.map { "$*?".contains($0) ? "${\($0)}" : String($0) }.joined()
    }

    /// The document.
    var json: String {
        get throws(ClairoError) {
            do {
                return String(decoding: try JSON.encode(self, pretty: false), as: UTF8.self)
            } catch {
                throw .defect("The policy of a task cannot be encoded: \(error)")
            }
        }
    }
}

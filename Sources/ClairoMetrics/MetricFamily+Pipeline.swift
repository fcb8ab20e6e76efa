/// Metrics of the whole pipeline, which `clairo serve-metrics` reads from the database, the stores and the brokers.
///
/// The Kafka metrics use the names of kafka_exporter (https://github.com/danielqsj/kafka_exporter), so that existing
/// dashboards work.
extension MetricFamily {
    // MARK: Scrape

    public static let scrapeSuccess = gauge(
        "clairo_scrape_success", "Whether the last read of a source succeeded", labels: ["source"])
    public static let scrapeDuration = gauge(
        "clairo_scrape_duration_seconds", "Duration of the last read of a source, in seconds", labels: ["source"])
    public static let scrapeAge = gauge(
        "clairo_scrape_age_seconds", "Age of a source's data on this page, in seconds", labels: ["source"])

    // MARK: Database

    public static let pipelineVideos = gauge("clairo_videos", "Videos by state", labels: ["state"])
    public static let pipelineJobs = gauge("clairo_jobs", "Jobs by state", labels: ["state"])
    public static let jobsInFlight = gauge("clairo_jobs_in_flight", "Jobs that have not ended")
    public static let oldestJob = gauge(
        "clairo_jobs_oldest_age_seconds", "Age of the oldest job in each non-final state, in seconds",
        labels: ["state"])
    public static let pipelineTasks = gauge(
        "clairo_tasks", "Tasks by kind and state", labels: ["kind", "state"], renamed: ["kind": "stage"])
    public static let oldestTask = gauge(
        "clairo_tasks_oldest_age_seconds", "Age of the oldest pending or running task, in seconds",
        labels: ["kind", "state"], renamed: ["kind": "stage"])
    public static let tasksDue = gauge(
        "clairo_tasks_due", "Pending tasks that can be claimed now", labels: ["kind"], renamed: ["kind": "stage"])
    public static let abandonedTasks = gauge(
        "clairo_tasks_abandoned", "Running tasks whose lease has expired",
        labels: ["kind"], renamed: ["kind": "stage"])
    public static let workers = gauge("clairo_workers_busy", "Workers that hold tasks")
    public static let outboxPending = gauge("clairo_outbox_pending", "Undelivered messages in the outbox")
    public static let outboxDue = gauge("clairo_outbox_due", "Outbox messages that are due for delivery")
    public static let outboxOldest = gauge(
        "clairo_outbox_oldest_seconds", "Age of the oldest message in the outbox, in seconds")
    public static let outboxOverdue = gauge(
        "clairo_outbox_overdue_seconds", "How long the most overdue outbox message has been due, in seconds"
    )
    public static let queuedMessages = gauge(
        "clairo_queue_messages", "Unfinished messages in the local queue", labels: ["topic"])
    public static let deadLettersPending = gauge(
        "clairo_dead_letters_pending", "Dead letters that have not been retried", labels: ["topic"])

    public static let upkeepSuccess = gauge(
        "clairo_upkeep_last_success_timestamp_seconds",
        "When upkeep was last done completely, in seconds since 1970")

    // MARK: Stores

    public static let storeObjects = gauge("clairo_store_objects", "Objects in a store", labels: ["store"])
    public static let storeBytes = gauge(
        "clairo_store_bytes", "Total size of the objects in a store, in bytes", labels: ["store"])

    // MARK: ECS

    public static let ecsTasks = gauge(
        "clairo_ecs_tasks", "ECS tasks started by workers, by ECS status", labels: ["status"])
    public static let ecsCPUs = gauge(
        "clairo_ecs_task_cpus", "CPUs allocated to ECS tasks", labels: ["status"])
    public static let ecsMemory = gauge(
        "clairo_ecs_task_memory_bytes", "Memory allocated to ECS tasks, in bytes", labels: ["status"])
    public static let ecsStopped = gauge(
        "clairo_ecs_tasks_stopped", "ECS tasks that stopped in the last hour, by ECS stop code", labels: ["code"])

    // MARK: Kafka

    public static let kafkaBrokers = gauge("kafka_brokers", "Brokers of the cluster")
    public static let kafkaTopicPartitions = gauge(
        "kafka_topic_partitions", "Partitions of a topic", labels: ["topic"])
    public static let kafkaEndOffset = gauge(
        "kafka_topic_partition_current_offset", "The next offset of a partition",
        labels: ["topic", "partition"])
    public static let kafkaOldestOffset = gauge(
        "kafka_topic_partition_oldest_offset", "The oldest offset of a partition", labels: ["topic", "partition"])
    public static let kafkaGroupOffset = gauge(
        "kafka_consumergroup_current_offset", "The committed offset of a group in a partition",
        labels: ["consumergroup", "topic", "partition"])
    public static let kafkaLag = gauge(
        "kafka_consumergroup_lag", "Messages of a partition that a group has not finished",
        labels: ["consumergroup", "topic", "partition"])
    public static let kafkaMembers = gauge(
        "kafka_consumergroup_members", "Members of a group", labels: ["consumergroup"])
    public static let kafkaDeadLetters = gauge(
        "clairo_kafka_dead_letter_messages", "Messages in a dead-letter topic", labels: ["topic"])
}

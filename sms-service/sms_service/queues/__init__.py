"""One queue of send jobs, with two adapters: RabbitMQ and a Redis stream."""

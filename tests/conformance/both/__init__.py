"""Steps of every kind of delivery, for the testing kit and for real workers to run."""

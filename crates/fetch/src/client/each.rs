//! Many requests at once, with their results in the order of completion.
//!
//! Owns: how many requests are submitted ahead.
//! Does not own: the workers ([`crate::client::handle`]).

use std::collections::VecDeque;
use std::sync::Arc;

use haul_queue::Ring;

use crate::{Client, Error, Request, Response};

impl Client {
    /// Fetches many requests into memory, on the workers. Yields the results in the order of completion, each with the
    /// index of its request. At most twice as many requests as there are workers are taken ahead.
    pub fn fetch_each<R: IntoIterator<Item = Request>>(&self, requests: R) -> Each<R::IntoIter> {
        let window = 2 * self.worker_count();
        let results = Arc::new(Ring::with_capacity(window));
        let requests = requests.into_iter().enumerate();
        Each { client: self.clone(), requests, under_way: 0, window, results, failed: VecDeque::new() }
    }
}

/// The results of [`Client::fetch_each`], in the order of completion.
pub struct Each<R: Iterator<Item = Request>> {
    client: Client,
    requests: std::iter::Enumerate<R>,
    under_way: usize,
    window: usize,
    results: Arc<Ring<(usize, Result<Response, Error>)>>,
    /// The results of requests that couldn't be submitted, and were fetched on the calling thread instead.
    failed: VecDeque<(usize, Result<Response, Error>)>,
}

impl<R: Iterator<Item = Request>> Each<R> {
    fn submit(&mut self, number: usize, request: Request) {
        let results = self.results.clone();
        let submitted = self.client.fetch_async(request, move |result| {
            // The queue is closed if the iterator was dropped early.
            let _ = results.push((number, result));
        });
        match submitted {
            Ok(()) => self.under_way += 1,
            Err(refused) => self.failed.push_back((number, self.client.fetch(*refused.request))),
        }
    }
}

impl<R: Iterator<Item = Request>> Iterator for Each<R> {
    type Item = (usize, Result<Response, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.under_way < self.window && self.failed.is_empty() {
            let Some((number, request)) = self.requests.next() else { break };
            self.submit(number, request);
        }
        if let Some(result) = self.failed.pop_front() {
            return Some(result);
        }
        if self.under_way == 0 {
            return None;
        }
        self.under_way -= 1;
        self.results.pop()
    }
}

impl<R: Iterator<Item = Request>> Drop for Each<R> {
    fn drop(&mut self) {
        self.results.close();
    }
}
